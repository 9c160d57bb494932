"""The part of a video that a row of a list is about."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Literal

from videogn.axes import Segment, VideoRecord
from videogn.checks import expanded

_FRAGMENT = re.compile(r"(?P<path>.+)#(?P<unit>t|frames)=(?P<start>[^,#]+),(?P<end>[^,#]+)")
#: Seconds, or frames, after which no video goes on: 30 years, or a year.
LATEST = 10**9
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


def segment_of(values: Mapping[str, str], where: str) -> Segment | None:
    """Read the start and the end of a part.

    Args:
        values: "start_time" and "end_time", in seconds or as h:mm:ss.s; or "start_frame" and "end_frame", frame
            indices, the end exclusive. Other entries do not matter.
        where: Place in the list, for the message.

    Returns:
        The part, or None if there is no start, or start and end are both empty: the whole video.

    Raises:
        ValueError: If they are no such numbers, the start is negative, or the end is not after the start.
    """
    unit: Literal["seconds", "frames"] = "frames" if "start_frame" in values else "seconds"
    texts = [values.get(f"{side}_{'frame' if unit == 'frames' else 'time'}", "") for side in ("start", "end")]
    if not any(texts):
        return None
    start, end = map(_frame if unit == "frames" else _seconds, texts)
    if start is None or end is None:
        expected = "seconds, such as 5.4 or 0:01:05.4" if unit == "seconds" else "frame indices, such as 12"
        raise ValueError(f"{where}: a part from {texts[0]!r} to {texts[1]!r}; expected {expected}")
    if end > LATEST:
        raise ValueError(f"{where}: a part from {texts[0]:.40} to {texts[1]:.40}; no video has an end so late")
    if start < 0 or start >= end:
        wrong = "its start must be 0 or later" if start < 0 else "its end must come after its start"
        raise ValueError(f"{where}: a part from {texts[0]} to {texts[1]}; {wrong}")
    return Segment(start, end, unit)


def without_fragment(name: str) -> tuple[str, Segment | None]:
    """Divide the name of a part of a video, such as "a.mp4#t=5.4,11.6" or "a.mp4#frames=12,48" (`VideoRecord.name`).

    Returns:
        Path and part; the name and None if it is that of a whole video.

    Raises:
        ValueError: If the part is wrong.
    """
    match = _FRAGMENT.fullmatch(name)
    if match is None:
        return name, None
    kind = "time" if match["unit"] == "t" else "frame"
    return match["path"], segment_of({f"start_{kind}": match["start"], f"end_{kind}": match["end"]}, name)


def named_video(name: str) -> VideoRecord:
    """Return the video without a label, or the part of one, that a name is about. A file of that very name comes first.

    Args:
        name: Path, or path and part as in `VideoRecord.name`; it need not exist.

    Raises:
        ValueError: If the part is wrong.
    """
    literal = "#" not in name or os.path.lexists(expanded(name))
    path, segment = (name, None) if literal else without_fragment(name)
    return VideoRecord(path, None, segment=segment)


def _seconds(text: str) -> float | None:
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _frame(text: str) -> float | None:
    number = _seconds(text) if ":" not in text else None
    return number if number is not None and number == int(number) else None
