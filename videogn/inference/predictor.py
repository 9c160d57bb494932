"""Files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from videogn.axes import Sample
from videogn.choices import EvaluationViews, chosen
from videogn.data.dataset import VideoDataset, collate
from videogn.data.plans import evaluation_plan
from videogn.data.records import Records
from videogn.evaluation import video_probabilities
from videogn.models.weights import read_checkpoint
from videogn.system.devices import device_named
from videogn.training.task import VideoClassifier
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.guard import VideoGuard


@dataclass(frozen=True)
class Prediction:
    """What the network says of one file.

    Attributes:
        path: the file.
        scores: (class name, probability), best first; empty when the file failed.
        error: why the file failed, or None.
    """

    path: str
    scores: tuple[tuple[str, float], ...] = ()
    error: str | None = None


class Predictor:
    """Classifies video files with a checkpoint, which says everything about the network and its input.

    Args:
        checkpoint: written by `videogn fit`.
        num_clips: clips per video.
        protocol: where they start: nonlocal, slowfast or endpoint.
        crops: what of the frame is seen: full, three_crop or center; as the checkpoint says by default.
        decoder: auto (which is PyAV), pyav, decord or torchcodec.
        device: cpu, cuda, cuda:1 ...; auto takes a GPU where there is one.
        time_limit: seconds that a video may take to decode; longer, and it fails, and its decoder, a process of its
            own, is replaced. 0 decodes in this process, where a decoder that hangs stops everything.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: not a checkpoint, or a wrong name or number.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        num_clips: int = 10,
        protocol: str = "nonlocal",
        crops: str | None = None,
        decoder: str = "auto",
        device: str = "auto",
        time_limit: float = 60.0,
    ) -> None:
        if not time_limit >= 0:
            raise ValueError(f"time_limit must be >= 0, got {time_limit:g}")
        self._opener = VideoGuard(time_limit).open if time_limit > 0 else open_video
        self.device = device_named(device)
        self.task = load_task(checkpoint).to(self.device).eval()
        self.decoder = decoder
        hparams = self.task.hparams
        test = {"num_clips": num_clips, "protocol": protocol, "crops": crops or hparams["crops"]}
        self.plan = evaluation_plan(chosen(EvaluationViews, {**hparams, **test}))

    @property
    def class_names(self) -> list[str]:
        """The classes, in the order of their numbers."""
        return self.task.class_names

    def predict(self, paths: Sequence[str], *, top_k: int = 5, workers: int = 0) -> Iterator[Prediction]:
        """Classify files one after the other; a bad one gives a prediction with an error and does not stop the rest.

        Args:
            paths: video files.
            top_k: classes to name, at most as many as there are.
            workers: processes that decode ahead; 0 decodes in this one.

        Yields:
            One prediction for each path, in order.

        Raises:
            ValueError: `top_k` is not positive.
        """
        if top_k <= 0:
            raise ValueError(f"top_k must be > 0, got {top_k}")
        records = Records.of_columns([os.fspath(path) for path in paths], [None] * len(paths))
        dataset = VideoDataset(records, self.plan, decoder=self.decoder, opener=self._opener)
        loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_size=1,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
        )
        for batch in loader:
            for failed in batch.failed:
                yield Prediction(failed.path, error=failed.error)
            for sample in batch.samples:
                yield self._predict(sample, top_k)

    @torch.inference_mode()
    def _predict(self, sample: Sample, top_k: int) -> Prediction:
        assert sample.frames is not None
        assert sample.clips is not None
        sample.frames = sample.frames.to(self.device, non_blocking=True)
        sample.clips = sample.clips.to(self.device, non_blocking=True)
        try:
            probabilities = video_probabilities(self.task.clip_probabilities(sample))
        except ValueError as error:  # a file too small for the network, say
            return Prediction(sample.path, error=str(error))
        scores, classes = probabilities.topk(min(top_k, len(probabilities)))
        names = [self.class_names[number] for number in classes.tolist()]
        return Prediction(sample.path, scores=tuple(zip(names, scores.tolist(), strict=True)))


def load_task(checkpoint: str | Path) -> VideoClassifier:
    """Load a checkpoint of `videogn fit` on the CPU; only tensors and plain values are read from it.

    Args:
        checkpoint: the file.

    Returns:
        The task, with its network.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint.
    """
    content = read_checkpoint(checkpoint)
    if not isinstance(content, dict) or not {"hyper_parameters", "state_dict"} <= content.keys():
        raise ValueError(f"{checkpoint} is not a checkpoint of `videogn fit`: it says nothing about the network")
    try:
        task = VideoClassifier(**content["hyper_parameters"])
        task.load_state_dict(content["state_dict"])
    except (TypeError, RuntimeError) as error:  # another project's hyper-parameters, another network's weights
        raise ValueError(f"{checkpoint} is not a checkpoint of `videogn fit`") from error
    return task
