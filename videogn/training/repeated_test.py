"""A test that has been run, set up again from what its results say: the same task, data module and trainer."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from videogn.axes import VideoRecord
from videogn.checks import existing_path
from videogn.data.datamodule import VideoDataModule
from videogn.data.plans import views_described
from videogn.data.video_index import VideoIndex
from videogn.evaluation.recorded_results import RecordedTest, read_recorded
from videogn.models.fit_checkpoint import read_fit_checkpoint
from videogn.models.network_sources import published_network
from videogn.system.displayable import displayable
from videogn.training.task import VideoClassifier
from videogn.training.task_settings import INPUT

#: Of a path outside the folder that others are relative to: the way up.
_UP = re.compile(r"^(\.\./)+")


class RepeatedTest:
    """The network and the videos of a test, where they are now.

    Args:
        test: The test.
        root: Where the videos are now: what --data.root, or else --data.test or --data.val, named. Default: where they
            were.
        checkpoint: Where the checkpoint or exported file is now. Default: where it was.
        trust: Packages that may be imported where a checkpoint names a network or norm from outside videogn.
        workers: Number of loader processes.

    Attributes:
        index: The test videos.
        several_labels: Whether a video may show several classes.
        device: "cpu", "cuda" and so on: that of the test if this machine has it.
        precision: Lightning's name of what is computed in.

    Raises:
        FileNotFoundError: The videos or the checkpoint are not there.
        ValueError: The results do not say where they are, or the checkpoint is none.
    """

    def __init__(
        self, test: RecordedTest, *, root: str | None, checkpoint: str | None, trust: Collection[str], workers: int
    ) -> None:
        self._about, self._classes = test.about, test.classes
        self._data = self._data_module(root, workers)
        self.index: VideoIndex = self._data.splits["test"]
        self.several_labels = self._data.several_labels
        computing = test.about.get("computing", {})
        self.precision: str = computing.get("precision", "32-true")
        self.device = _available(computing.get("device", "cpu"))
        network = {**test.about["model"], **computing, "crops": test.about["protocol"]["crops"]}
        others = ("precision", "device", "compile")  # compiled or not, it computes the same
        self._settings: dict[str, Any] = {k: v for k, v in network.items() if k not in others}
        self._checkpoint, options = self._find_weights(checkpoint, trust)
        self._settings |= options

    def positions(self, paths: Sequence[str]) -> list[int | None]:
        """Find recorded paths among the videos, which may lie in another folder now: by the end of the path.

        Returns:
            Position in `index` of each, or None if it is not there.
        """
        places: dict[str, int] = {}
        for position, record in enumerate(self.index.records):
            places.setdefault(displayable(record.name), position)
            places.setdefault(self.name(record), position)
        return [_by_end(path, places) for path in paths]

    def name(self, record: VideoRecord) -> str:
        """Return the name of a video that does not depend on where the data set is."""
        fragment = record.name.removeprefix(record.path)
        return displayable(_UP.sub("", self.index.relative_path(record)) + fragment)

    def run(self, positions: Sequence[int], folder: Path, callbacks: Sequence[Callback] = ()) -> RecordedTest:
        """Test some of the videos.

        Args:
            positions: Their positions, increasing.
            folder: Folder for the results.
            callbacks: Callbacks of the trainer, a progress bar for instance.

        Returns:
            The results of these videos, with the probabilities of all clips.
        """
        self._data.splits["test"] = replace(self.index, records=self.index.records.take(list(positions)))
        task = VideoClassifier(
            **self._settings,
            class_names=self._classes,
            several_labels=self.several_labels,
            results_dir=str(folder),
            save_clip_probabilities=True,
        )
        trainer = Trainer(
            accelerator=self.device,
            devices=1,
            precision=self.precision,  # type: ignore[arg-type]
            callbacks=list(callbacks),
            enable_progress_bar=bool(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        try:
            trainer.test(task, datamodule=self._data, ckpt_path=self._checkpoint, verbose=False)
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            raise ValueError(f"{self._checkpoint} does not hold the weights of the network that was tested") from error
        return read_recorded(folder)

    def _data_module(self, root: str | None, workers: int) -> VideoDataModule:
        source = self._about.get("videos_from") or {"split": "test", "root": None, "given": None}
        if root is not None:
            source = {**source, ("given" if source["given"] and not source["root"] else "root"): root}
        if source["root"] is None and source["given"] is None:
            raise ValueError("the results do not say where their videos are: name their folder with --root")
        try:
            return VideoDataModule(
                source["root"],
                **{source["split"]: source["given"]},
                class_names=self._classes,
                decoder=self._about.get("decoder", "auto"),
                max_failures=1.0,  # failures are results
                num_workers=workers,
                **source.get("read", {}),
                **self._views(),
            )
        except FileNotFoundError as error:
            if root is not None:
                raise
            raise FileNotFoundError(f"{error}; if the videos are elsewhere now, name the place with --root") from error

    def _views(self) -> dict[str, Any]:
        seen = {name: value for name, value in self._about["model"].items() if name in INPUT}
        return {**seen, "fps": None, "antialias": True, **views_described(self._about["protocol"])}

    def _find_weights(self, given: str | None, trust: Collection[str]) -> tuple[str | None, dict[str, Any]]:
        """Where the weights are: a checkpoint that the trainer loads, or options of the task."""
        if engine := self._about.get("engine"):
            return None, {"engine_file": str(_there(given or engine["file"]))}
        source = given or self._about.get("checkpoint")
        if source is None:
            raise ValueError("the results name no checkpoint: name it with --checkpoint")
        if (published := published_network(source, trust=trust)) is not None:
            return None, {"init_from": str(published.weights)}
        if self._about.get("loaded") == "init_from":
            return None, {"init_from": source}
        content = read_fit_checkpoint(_there(source), trust=trust)["hyper_parameters"]
        usual = {"clips_per_forward": content.get("clips_per_forward", 10)}  # older results do not say
        return str(source), {name: value for name, value in usual.items() if name not in self._settings}


def _there(path: str) -> Path:
    try:
        return existing_path(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; if it is elsewhere now, name the place with --checkpoint") from error


def _available(device: str) -> str:
    """The device of a test if this machine has it, else the CPU."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return device if has.get(device) else "cpu"


def _by_end(path: str, places: dict[str, int]) -> int | None:
    """Look up a path, then without its first folder, without the first two, and so on."""
    while path not in places:
        _, parted, path = path.partition("/")
        if not parted:
            return None
    return places[path]
