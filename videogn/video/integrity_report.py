"""Check of a whole video file: how much of it can be decoded, and what is wrong with it. A bad file raises nothing."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace

import numpy as np

from videogn.choices import FRAME_RATE
from videogn.video.decoders.decoded_file import DecodedFile
from videogn.video.decoders.decoded_images import DecodedImages
from videogn.video.decoders.frame_table import FrameTable, read_frame_table
from videogn.video.decoders.packet_list import REORDERED
from videogn.video.decoders.survey import survey_text
from videogn.video.decoders.time_limit import in_seconds, time_limit
from videogn.video.errors import EmptyVideoError, MissingVideoError, VideoDecodeError, reading
from videogn.video.integrity import damage
from videogn.video.storage import size

_CUT = "the file is cut short"
_NO_PICTURE = "the decoder gives no picture for it"


@dataclass(frozen=True)
class IntegrityReport:
    """Result of checking one file. Numbers are 0 if it could not be opened.

    Attributes:
        frames: Number of frames that decode without damage: all frames of an "ok" file, the first ones of a "truncated"
            file, those decoded in time of a "slow" file.
        fps: Mean frames per second.
        duration: Displayed duration in seconds.
        width: Displayed width in pixels.
        height: Displayed height in pixels.
        rotation: Anticlockwise rotation of the coded picture for display, in degrees: 0, 90, 180 or 270.
        codec: FFmpeg's name of the codec, or "" if it is unknown.
        bytes: Size of the file in bytes.
        status: "ok"; "missing" (no such file); "empty" (no bytes); "corrupt" (cannot be opened, no video, or damaged
            inside); "truncated" (good frames up to a missing end); "slow" (good frames until the time was up).
        reason: Short description of the problem, or "".
        notes: Damage of the file beside the video, such as in its subtitles or chapters; no problem for any frame.
        survey: What the packets of an "ok" file told, see `videogn.video.decoders.survey`; "" if that is long.
    """

    frames: int = 0
    fps: float = 0.0
    duration: float = 0.0
    width: int = 0
    height: int = 0
    rotation: int = 0
    codec: str = ""
    bytes: int = 0
    status: str = "ok"
    reason: str = ""
    notes: tuple[str, ...] = ()
    survey: str = ""


def check_integrity(
    path: str | os.PathLike[str],
    *,
    decode: bool = True,
    limit: float | None = None,
    frame_rate: float = FRAME_RATE,
) -> IntegrityReport:
    """Check how much of a video file can be decoded.

    Args:
        path: File, member of a tar shard, or URL of either; or a folder of numbered images.
        decode: Whether to decode all frames. Otherwise the packets are trusted, and damage that does not change their
            number stays unseen. Default: True.
        limit: Seconds after which decoding stops and the file is "slow"; for a large one `videogn.video.decoders.
            time_limit.time_limit` adds to them. Default: no limit.
        frame_rate: Frames per second of a folder of images. Default: 25.

    Returns:
        The report, also for a file that cannot be opened. The call may hang or crash if the decoder does; for a call in
        a process that can be killed see `IntegrityChecker`.
    """
    report, table = _open(path, frame_rate)
    return report if table is None else _judge(report, table, decode, limit)


class IntegrityChecker:
    """Checks files in a killable process: `KillableProcess("videogn.video.integrity_report:IntegrityChecker")`."""

    def __init__(self) -> None:
        self._opened: tuple[IntegrityReport, FrameTable | None] | None = None

    def open(self, path: str, limit: float, frame_rate: float = FRAME_RATE) -> float:
        """Open a file to check it.

        Returns:
            Seconds after which the check ends by itself, with the limit that `check_integrity` takes.
        """
        self._opened = _, table = _open(path, frame_rate)
        return limit if table is None else time_limit(limit, table.info)

    def check(self, decode: bool, limit: float | None) -> IntegrityReport:
        """Check the file that was opened last; see `check_integrity`."""
        assert self._opened is not None
        report, table = self._opened
        return report if table is None else _judge(report, table, decode, limit)


def _open(path: str | os.PathLike[str], frame_rate: float) -> tuple[IntegrityReport, FrameTable | None]:
    """The facts of a file and its frames, or else what is wrong with it and None."""
    report = IntegrityReport()
    try:
        with reading(path):
            report = replace(report, bytes=size(path))
            table = read_frame_table(path, frame_rate)
    except MissingVideoError as error:
        return replace(report, status="missing", reason=error.reason), None
    except EmptyVideoError as error:
        return replace(report, status="empty", reason=error.reason), None
    except VideoDecodeError as error:
        return replace(report, status="corrupt", reason=error.reason), None
    info = table.info
    report = replace(
        report, fps=info.fps, width=info.width, height=info.height, rotation=info.rotation, codec=info.codec
    )
    return report, table


def _judge(report: IntegrityReport, table: FrameTable, decode: bool, limit: float | None) -> IntegrityReport:
    """Complete the report of a file that could be opened."""
    try:
        with reading(table.path):
            if not decode:
                return _judge_listed(report, table)
            return _judge_decoded(report, table, math.inf if limit is None else time_limit(limit, table.info))
    except VideoDecodeError as error:
        return replace(report, frames=0, duration=0.0, status="corrupt", reason=error.reason)


def _judge_listed(report: IntegrityReport, table: FrameTable) -> IntegrityReport:
    """Judge by the packets alone."""
    status = "ok" if table.readable == table.info.frames else "truncated"
    return _judged(report, table, status, table.readable, table.readable, table.info.frames, _CUT)


def _judge_decoded(report: IntegrityReport, table: FrameTable, limit: float) -> IntegrityReport:
    """Judge by decoding all frames, or those that decode within `limit` seconds."""
    deadline = time.monotonic() + limit
    decoded = DecodedFile(table, deadline) if table.images is None else DecodedImages(table, deadline)
    found = [] if decoded.unfinished or table.images is not None else damage(table.source, table.container)
    report = replace(report, notes=tuple(each.what for each in found if not each.of_video))
    broken = next((each.what for each in found if each.of_video), None)
    whole = np.array(sorted(decoded.whole), np.int64)
    leading = int(np.argmax(np.append(whole, -1) != np.arange(len(whole) + 1)))
    total = max(table.info.frames, leading)
    problem = decoded.problem or broken
    lost_at_end = table.readable < table.info.frames and leading == len(whole)
    if decoded.unfinished and problem is None:
        if lost_at_end:
            return _judged(report, table, "truncated", leading, table.readable, total, _CUT)
        why = f"{leading} of {total} frames were decoded in {in_seconds(limit)}"
        return replace(report, frames=leading, duration=_duration(table, leading), status="slow", reason=why)
    # A decoder that fails at the last packet also loses pictures that it holds back to reorder.
    near_the_end = table.readable - leading <= REORDERED
    failed_at_end = (decoded.fails_at_end or lost_at_end) and near_the_end
    if leading == total and problem is None:
        return _judged(report, table, "ok", leading, leading, total, "")
    if leading and broken is None and (failed_at_end or (lost_at_end and problem is None)):
        return _judged(report, table, "truncated", leading, leading, total, _CUT)
    return _judged(report, table, "corrupt", len(whole), leading, total, problem or _NO_PICTURE)


def _judged(
    report: IntegrityReport, table: FrameTable, status: str, frames: int, leading: int, total: int, why: str
) -> IntegrityReport:
    """Complete the report: `frames` are intact, of these `leading` at the start, out of `total`."""
    reason = "" if status == "ok" else why
    if reason and leading < total:
        reason = f"frame {leading} of {total} cannot be decoded ({why})"
    told = survey_text(table.survey) if status == "ok" and table.images is None else ""
    return replace(report, frames=frames, duration=_duration(table, frames), status=status, reason=reason, survey=told)


def _duration(table: FrameTable, frames: int) -> float:
    """Seconds from the first of the frames to the end of the last one's display."""
    if table.pts is None or not 1 < frames <= len(table.pts):
        return frames / table.info.fps
    return float((table.pts[frames - 1] - table.pts[0]) * table.time_base) + 1 / table.info.fps
