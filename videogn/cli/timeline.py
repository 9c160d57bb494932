"""videogn predict --timeline: what its options mean and refuse, before and after the network is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import expanded, require_at_least, require_positive

if TYPE_CHECKING:
    from videogn.cli.predict import Options
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.inference.predictor import Predictor
    from videogn.inference.timelines.segmenting import Segmenting

#: Formats that are about whole videos.
_WHOLE = ("fiftyone", "labelstudio")


def check_timeline(options: Options) -> None:
    """Check the options of timelines, and those that do not go with them.

    Raises:
        ValueError: One is wrong, or has no meaning.
    """
    own = (("--smooth", options.smooth), ("--min-length", options.min_length), ("--min-score", options.min_score))
    if options.timeline is None:
        for flag, given in (*own, ("--windows", options.windows)):
            if given:
                raise ValueError(f"{flag} is about a --timeline, and none is asked for")
        return
    require_positive("--timeline", options.timeline)
    require_at_least("--smooth", options.smooth, 0)
    require_at_least("--min-length", options.min_length, 0)
    if not 0 <= options.min_score <= 1:
        raise ValueError(f"--min-score must be between 0 and 1, got {options.min_score:g}")
    if options.clips is not None:
        raise ValueError("--clips is about whole videos: with --timeline there are as many clips as its stride gives")
    if options.workers is not None:
        raise ValueError("--workers decode several videos ahead: with --timeline one is decoded after the other")
    if options.format in _WHOLE:
        raise ValueError(f"--format {options.format} is about whole videos: with --timeline choose another")


def segmenting(options: Options, predictor: Predictor, progress: ScoringProgress) -> Segmenting:
    """Make the function that scores videos along their timelines; the folder of --windows is made.

    Raises:
        OSError: That folder cannot be made.
    """
    from videogn.inference.timelines.segmenting import Segmenting

    assert options.timeline is not None
    return Segmenting(
        predictor,
        stride=options.timeline,
        smooth=options.smooth,
        min_length=options.min_length,
        min_score=options.min_score,
        batch_clips=options.batch_clips,
        folder=_folder(options.windows),
        watch=progress.at,
    )


def timeline_identity(options: Options) -> dict[str, Any]:
    """What decides about segments beside what decides about scores, flat and as JSON has it; nothing without them."""
    if options.timeline is None:
        return {}
    folder = _folder(options.windows)
    return {
        "timeline": options.timeline,
        "smooth": options.smooth,
        "min_length": options.min_length,
        "min_score": options.min_score,
        "windows": None if folder is None else str(folder),
    }


def _folder(name: str | None) -> Path | None:
    return None if name is None else Path(expanded(name)).absolute()
