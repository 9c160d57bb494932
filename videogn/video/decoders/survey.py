"""What reading all packets of a file tells of its frames; as a short text, an index keeps it.

A file that has not changed since a full check is then opened without reading it through once more. Only ordinary files
have a text: every frame has a time stamp of its own, all are in the file, and most steps between the stamps are equal.
A text that is damaged, or of another version of FFmpeg, is none.
"""

from __future__ import annotations

import json
from typing import Any

import av
import numpy as np

from videogn.checks import is_whole
from videogn.video.decoders.packets import Survey

#: To be increased when packets are read differently.
_VERSION = 1
_MADE_BY = f"{_VERSION} {'.'.join(map(str, av.library_versions['libavformat']))}"
#: Most characters of a text. A constant frame rate takes about 150; time stamps in milliseconds take too many.
_LONGEST = 1000
_MOST_PIXELS = 1 << 16  # along a side
#: More than three days at 60 frames a second; a sparse file of any size may state any number.
_MOST_FRAMES = 1 << 24


def survey_text(survey: Survey) -> str:
    """Write what the packets of a file told as text.

    Args:
        survey: What they told.

    Returns:
        JSON on one line, or "" for a file that is not ordinary.
    """
    ordinary = survey.readable == survey.frames and not survey.unmarked and not survey.leaving_out
    if survey.pts is None or not ordinary or not len(survey.keyframes):
        return ""
    text = json.dumps(
        {
            "made_by": _MADE_BY,
            "pts": _runs(survey.pts),
            "keyframes": _runs(survey.keyframes),
            "size": survey.size,
            "rotation": survey.rotation,
            "decord_risk": survey.decord_risk,
            "colour_risk": survey.colour_risk,
        },
        separators=(",", ":"),
    )
    return text if len(text) <= _LONGEST else ""


def read_survey(text: str, size: int) -> Survey | None:
    """Read what `survey_text` wrote.

    Args:
        text: The text, from an index that may be damaged.
        size: Size of the file in bytes; it has no more frames.

    Returns:
        The survey; None if the text is damaged or not of this version.
    """
    try:
        stated: Any = json.loads(text[: _LONGEST + 1])
        if stated["made_by"] != _MADE_BY:
            return None
        most = min(size, _MOST_FRAMES)
        pts, starts = _values(stated["pts"], most), _values(stated["keyframes"], most)
        (height, width), rotation = stated["size"], stated["rotation"]
        risks = stated["decord_risk"], stated["colour_risk"]
        fits = (
            starts[0] >= 0 and starts[-1] < len(pts),
            all(is_whole(side) and 0 < side <= _MOST_PIXELS for side in (height, width)),
            is_whole(rotation) and rotation in (0, 90, 180, 270),
            all(risk is None or isinstance(risk, str) for risk in risks),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Survey(len(pts), len(pts), pts, starts, (height, width), rotation, *risks) if all(fits) else None


def _runs(values: np.ndarray) -> list[Any]:
    """Increasing numbers as the first one, and runs of equal steps: [0, [512, 299]]."""
    steps = np.diff(values)
    parts = np.split(steps, np.flatnonzero(np.diff(steps)) + 1) if len(steps) else []
    return [int(values[0]), *([int(part[0]), len(part)] for part in parts)]


def _values(runs: list[Any], most: int) -> np.ndarray:
    """The numbers of `_runs`, int64; ValueError if there are more than `most`, or they do not increase."""
    first, *parts = runs
    pairs = np.array(parts, dtype=np.int64).reshape(-1, 2)
    steps, counts = pairs[:, 0], pairs[:, 1]
    # Summed as Python's integers: the file may state any number.
    if not is_whole(first) or sum(counts.tolist()) >= most or np.any(pairs <= 0):
        raise ValueError("these are no runs of a video's frames")
    values = first + np.concatenate([[0], np.cumsum(np.repeat(steps, counts))])
    if values.dtype != np.int64 or np.any(values[1:] <= values[:-1]):
        raise ValueError("these numbers are too large")
    return values
