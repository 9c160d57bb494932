"""Early stopping calibrated on a test, provided that videos are seen as those of the test were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videogn.checks import existing_path, expanded
from videogn.choices import EvaluationViews
from videogn.evaluation.saved_clips import saved_course
from videogn.evaluation.stopping_calibration import Calibration, calibrate
from videogn.inference.bulk.identity import source_hash
from videogn.inference.run_records import RESULTS

CLIPS = "clip_probabilities.parquet"
#: Entry of a test's protocol -> field of `EvaluationViews`, the most telling first.
_PROTOCOL = {
    "clips": "num_clips",
    "starts": "protocol",
    "crops": "crops",
    "clip_length": "clip_length",
    "interval": "interval",
    "short_side": "short_side",
    "fps": "fps",
    "antialias": "antialias",
}
#: Entries that are written only where they are not so.
_LEFT_OUT = {"fps": None, "antialias": True}


@dataclass(frozen=True)
class SavedTest:
    """A test whose clip probabilities were saved.

    Attributes:
        path: Its clip_probabilities.parquet.
        protocol: How it saw each video.
        checkpoint: Source of the network, as the test named it.
    """

    path: Path
    protocol: Mapping[str, Any]
    checkpoint: str | None

    @classmethod
    def opened(cls, path: str | Path) -> SavedTest:
        """Find a test.

        Args:
            path: Its clip_probabilities.parquet, beside its results.json; or their folder.

        Raises:
            FileNotFoundError: One of the two is missing.
            ValueError: results.json is not that of a test.
        """
        path = existing_path(path)
        path = path / CLIPS if path.is_dir() else path
        results = path.parent / RESULTS
        for each in (path, results):
            if not each.exists():
                raise FileNotFoundError(
                    f"{each} is missing: clips are calibrated on the {CLIPS} and {RESULTS} of "
                    "`videogn test --model.results_dir DIR --model.save_clip_probabilities true`"
                )
        try:
            found = json.loads(results.read_text(encoding="utf-8"))
            protocol = {name: found["protocol"].get(name, _LEFT_OUT.get(name)) for name in _PROTOCOL}
            return cls(path, protocol, found.get("checkpoint"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{results} is not a {RESULTS} of `videogn test`: it has no protocol") from error

    @property
    def num_clips(self) -> int:
        """Number of clips of each of its videos."""
        return self.protocol["clips"]

    def calibrated(
        self, source: str | Path, views: EvaluationViews, *, agreement: float, confidence: float
    ) -> Calibration:
        """Choose the rule for a network and how it sees videos.

        Args:
            source: Source of the network.
            views: What it sees of each video.
            agreement: Share of videos that have to keep the class of all their clips.
            confidence: Confidence of that.

        Returns:
            The rule, and what was seen of it.

        Raises:
            ValueError: The test was that of another network or of other views, or has too few videos.
        """
        for name, field in _PROTOCOL.items():
            own = getattr(views, field)
            if self.protocol[name] != own:
                raise ValueError(
                    f"the test of {self.path} had the {field} {self.protocol[name]}, not {own}: "
                    "clips are calibrated on a test that saw its videos in the same way"
                )
        tested = self.checkpoint
        if tested and expanded(tested).exists() and source_hash(tested) != source_hash(str(source)):
            raise ValueError(f"{self.path} is of a test of {tested}, which is not {source}: test that one")
        course = saved_course(self.path, num_clips=self.num_clips)
        try:
            return calibrate(course, agreement=agreement, confidence=confidence)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
