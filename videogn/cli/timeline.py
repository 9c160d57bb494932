"""videogn predict --timeline: what its options mean, and which others they exclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import expanded, require_at_least, require_positive
from videogn.system.destination import check_folder

if TYPE_CHECKING:
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.inference.predictor import Predictor
    from videogn.inference.timelines.segmenting import Segmenting

#: Formats that are about whole videos.
_WHOLE = ("fiftyone", "labelstudio")


@dataclass(frozen=True)
class Timeline:
    """The options of `videogn predict` that are about timelines.

    Attributes:
        timeline: Seconds from one clip to the next; None for whole videos.
        smooth: As for `videogn.inference.label_segments`, in seconds; so are the next two.
        min_length: Shortest segment, in seconds.
        min_score: Probability below which a clip has no class.
        windows: Folder for the probabilities of all clips, or None.
    """

    timeline: float | None
    smooth: float
    min_length: float
    min_score: float
    windows: str | None

    def check(self, others: Mapping[str, Any]) -> None:
        """Check the options, and those that do not go with them, before the seconds that the network takes to load.

        Args:
            others: The other options.

        Raises:
            ValueError: One is wrong, or has no meaning.
        """
        if self.timeline is None:
            for name, value in asdict(self).items():
                if value:
                    raise ValueError(f"--{name.replace('_', '-')} is about a --timeline, and none is asked for")
            return
        require_positive("--timeline", self.timeline)
        require_at_least("--smooth", self.smooth, 0)
        require_at_least("--min-length", self.min_length, 0)
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"--min-score must be between 0 and 1, got {self.min_score:g}")
        if self._folder is not None:
            check_folder(self._folder)
        if others["clips"] is not None:
            raise ValueError("--clips is about whole videos: with --timeline its stride says how many clips there are")
        if others["protocol"] is not None:
            raise ValueError("--protocol places the clips of whole videos: with --timeline its stride does")
        if others["workers"] is not None:
            raise ValueError("--workers decode several videos ahead: with --timeline one is decoded after the other")
        if others["format"] in _WHOLE:
            raise ValueError(f"--format {others['format']} is about whole videos: with --timeline choose another")

    def segmenting(self, predictor: Predictor, progress: ScoringProgress, batch_clips: int | None) -> Segmenting:
        """Make the function that scores videos along their timelines.

        Args:
            predictor: Predictor.
            progress: Shows how far the video at hand is scored.
            batch_clips: Number of clips that go through the network at once, or None.
        """
        from videogn.inference.timelines.segmenting import Segmenting

        assert self.timeline is not None
        return Segmenting(
            predictor,
            stride=self.timeline,
            smooth=self.smooth,
            min_length=self.min_length,
            min_score=self.min_score,
            batch_clips=batch_clips,
            folder=self._folder,
            watch=progress.at,
        )

    def identity(self) -> dict[str, Any]:
        """What decides about segments beside what decides about scores, flat; nothing for whole videos."""
        if self.timeline is None:
            return {}
        return asdict(self) | {"windows": None if self._folder is None else str(self._folder)}

    @property
    def _folder(self) -> Path | None:
        return None if self.windows is None else Path(expanded(self.windows)).absolute()
