"""What a test of a network does with each video, and with the results of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from videogn.axes import Batch, Sample
from videogn.choices import NetworkInput
from videogn.evaluation import ResultCollection, score_video, write_results
from videogn.evaluation.frame_checksum import frames_checksum
from videogn.evaluation.results import VideoResult, in_words
from videogn.video.clips import is_short


@dataclass(frozen=True)
class Outcome:
    """What came out of a test, in process 0; nothing in the others.

    Attributes:
        logged: Accuracies by name.
        line: The test in words.
        warning: What of it is not as it should be, or None.
        failure: Why it says nothing about the network, or None.
    """

    logged: dict[str, float] = field(default_factory=dict)
    line: str | None = None
    warning: str | None = None
    failure: str | None = None


class VideoTest:
    """Results of a test while it runs; every process has one.

    Args:
        probabilities: Sample -> probabilities of its clips, float32 (clips, K). Raises ValueError where the network's
            output is not finite.
        seen: What the network sees of a video.
        keep_clips: Whether the results keep the probabilities of every clip.
        several_labels: Whether a video may show several classes.

    Attributes:
        results: One result a video.
    """

    def __init__(
        self,
        probabilities: Callable[[Sample], Tensor],
        seen: NetworkInput,
        *,
        keep_clips: bool = False,
        several_labels: bool = False,
    ) -> None:
        self.results = ResultCollection()
        self._probabilities = probabilities
        self._seen = seen
        self._keep_clips = keep_clips
        self._several_labels = several_labels

    def add(self, batch: Batch) -> None:
        """Score all clips of each video and add its result; one that did not decode is a result too."""
        for failed in batch.failed:
            self.results.add(replace(_nothing(failed), decoded=False))
        for sample in batch.samples:
            self.results.add(self._result(sample))

    def finish(
        self, trainer: Trainer, results_dir: str | None, *, classes: Sequence[str], about: dict[str, Any]
    ) -> Outcome:
        """Send all results to process 0, which writes their files. Every process has to call this.

        Args:
            trainer: Trainer of the test, with its data module.
            results_dir: Folder of the files. Default: the log folder.
            classes: Class names in the order of their numbers.
            about: Further entries of results.json, beside those about the data and the seed.

        Returns:
            What came out.
        """
        self.results.join()
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        folder = results_folder(trainer, results_dir)  # every process must ask for it
        if not trainer.is_global_zero:
            return Outcome()
        about = {**data.describe_test(), "seed": torch.initial_seed(), **about}
        summary = write_results(
            folder,
            self.results,
            classes=classes,
            expected=data.num_test_videos(),
            about=about,
            several_labels=self._several_labels,
        )
        line = f"{in_words(summary)}; results: {folder / 'results.json'}"
        return Outcome(dict(_logged(summary)), line, *_unscored(summary["counts"]))

    def _result(self, sample: Sample) -> VideoResult:
        seen = self._seen
        short = is_short(sample.num_frames, clip_length=seen.clip_length, interval=seen.interval)
        try:
            clips = self._probabilities(sample)
        except ValueError as error:
            frames = None if sample.frames is None else frames_checksum(sample.frames)
            return replace(_nothing(sample), error=str(error), short=short, fallback=sample.fallback, frames=frames)
        return score_video(sample, clips, short=short, keep_clips=self._keep_clips)


def results_folder(trainer: Trainer, results_dir: str | None) -> Path:
    """Return where the files of a test go: the folder that was asked for, or the log folder.

    Every process has to ask: the number of the log folder is decided by process 0.
    """
    return Path(results_dir or trainer.log_dir or trainer.default_root_dir)


def _nothing(sample: Sample) -> VideoResult:
    return VideoResult(sample.position, sample.path, sample.label, error=sample.error, labels=sample.labels)


def _unscored(counts: dict[str, int]) -> tuple[str | None, str | None]:
    """A warning where some videos got no score although they were decoded, a failure where no video got one."""
    unscored, scored = counts["without_scores"], counts["evaluated"]
    if not unscored:
        return None, None
    if not scored:
        return None, (
            "no video got a score, because the network's output was not finite (NaN or infinity) for any of the "
            f"{unscored} that were decoded; the weights may not be finite, or try another --trainer.precision"
        )
    return (
        f"the network's output was not finite (NaN or infinity) for {unscored} of the {unscored + scored} videos that "
        "were decoded; they count as wrong, and results.json names them"
    ), None


def _logged(summary: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for over in ("over_all", "over_decodable"):
        for metric in ("top1", "top5", "mean_class_accuracy", "map"):
            if summary[over].get(metric) is not None:
                yield f"test/{metric}_{over}", summary[over][metric]
