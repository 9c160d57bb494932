"""What can truly be decoded of a video file, and what is wrong with it; nothing is raised for a bad file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import av.error
import numpy as np

from videogn.video.decoders.frame_table import VideoScan, scan
from videogn.video.decoders.packet_list import REORDERED
from videogn.video.decoders.stream import flush, open_stream, packets
from videogn.video.errors import EmptyVideoError, MissingVideoError, VideoDecodeError, explain, reading
from videogn.video.integrity.container import damage
from videogn.video.storage import size

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_CUT = "the file is cut short"


@dataclass(frozen=True)
class VideoReport:
    """What was found of one file; zeros where it could not be opened.

    Attributes:
        frames: that can be decoded without damage: all of an "ok" file, the first ones of a "truncated" one.
        fps: mean frames per second.
        duration: seconds for which the video is displayed.
        width: as displayed, pixels.
        height: as displayed, pixels.
        rotation: degrees (0, 90, 180 or 270) by which the coded picture is turned anticlockwise for display.
        codec: FFmpeg's name of it; "" where unknown.
        bytes: of the file.
        status: "ok"; "missing", no such file; "empty", no bytes; "corrupt", cannot be opened, no video, or damaged
            inside; "truncated", good frames up to where the file ends too early.
        reason: what is wrong, in a few words; "" where nothing is.
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


def inspect_video(path: str | os.PathLike[str], *, decode: bool = True) -> VideoReport:
    """Find out what a file holds.

    Args:
        path: the file, a member of a shard, or a URL of either.
        decode: decode all of it; without, the packets are believed, and damage that keeps their number is not seen.

    Returns:
        The report, also of a file that cannot be opened. It may hang or crash where the decoder does: see `Inspector`.
    """
    report = VideoReport()
    try:
        with reading(path):
            report = replace(report, bytes=size(path))
            found = scan(path)
            report = _described(report, found)
            return _judge_decoded(report, found) if decode else _judge_listed(report, found)
    except MissingVideoError as error:
        return replace(report, status="missing", reason=error.reason)
    except EmptyVideoError as error:
        return replace(report, status="empty", reason=error.reason)
    except VideoDecodeError as error:
        return replace(report, frames=0, duration=0.0, status="corrupt", reason=error.reason)


class Inspector:
    """Inspects files in a process that can be killed: KillableProcess("videogn.video.integrity_report:Inspector")."""

    def inspect(self, path: str, decode: bool = True) -> VideoReport:
        """See `inspect_video`."""
        return inspect_video(path, decode=decode)


def _described(report: VideoReport, found: VideoScan) -> VideoReport:
    info = found.info
    return replace(
        report,
        fps=info.fps,
        width=info.width,
        height=info.height,
        rotation=found.rotation,
        codec=found.codec,
    )


def _judge_listed(report: VideoReport, found: VideoScan) -> VideoReport:
    """Judge by the packets alone."""
    report = _counted(report, found, found.readable)
    if found.readable == found.frames:
        return report
    return replace(
        report, status="truncated", reason=_first_lost(found.readable, found.frames, "the file is cut short")
    )


def _judge_decoded(report: VideoReport, found: VideoScan) -> VideoReport:
    """Judge by what decodes."""
    decoded = _Decoded(found)
    whole = np.array(sorted(decoded.whole), np.int64)
    leading = int(np.argmax(np.append(whole, -1) != np.arange(len(whole) + 1)))
    total = max(found.frames, leading)
    broken = damage(found.source)
    decoded.problem = decoded.problem or broken
    if leading == total and decoded.problem is None:
        return _counted(report, found, leading)
    lost_at_end = found.readable < found.frames and leading == len(whole)
    # A decoder that fails at the last packet also loses pictures that it holds back to reorder.
    near_the_end = found.readable - leading <= REORDERED
    failed_at_end = (decoded.fails_at_end or lost_at_end) and near_the_end
    if leading and broken is None and (failed_at_end or (lost_at_end and decoded.problem is None)):
        reason = _first_lost(leading, total, _CUT) if leading < total else _CUT
        return replace(_counted(report, found, leading), status="truncated", reason=reason)
    why = decoded.problem or "the decoder gives no picture for it"
    reason = _first_lost(leading, total, why) if leading < total else why
    return replace(_counted(report, found, len(whole)), status="corrupt", reason=reason)


def _counted(report: VideoReport, found: VideoScan, frames: int) -> VideoReport:
    return replace(report, frames=frames, duration=_duration(found, frames))


def _first_lost(index: int, frames: int, why: str) -> str:
    return f"frame {index} of {frames} cannot be decoded ({why})"


def _duration(found: VideoScan, frames: int) -> float:
    """Seconds from the first of so many frames until the last one's turn is over."""
    if found.pts is None or not 1 < frames <= len(found.pts):
        return frames / found.fps
    return float((found.pts[frames - 1] - found.pts[0]) * found.time_base) + 1 / found.fps


class _Decoded:
    """The outcome of decoding a whole file.

    After damage nothing is believed until decoding starts anew at a key frame: the pictures between are built upon it.

    Attributes:
        whole: numbers of the frames that came out undamaged.
        problem: the first thing that went wrong, or None.
        fails_at_end: whether nothing but the last packet went wrong.
    """

    def __init__(self, found: VideoScan) -> None:
        self.whole: set[int] = set()
        self.problem: str | None = None
        self.fails_at_end = False
        self._pts = found.pts
        self._readable = found.readable
        self._starts = frozenset(found.keyframes.tolist())
        self._trusted = True
        self._count = 0
        with open_stream(found.path, found.source) as (container, stream):
            try:
                waiting = not found.unmarked
                for packet in packets(container, stream):
                    if packet.size:
                        self.fails_at_end = False
                        waiting = waiting and not packet.is_keyframe
                    if not waiting:
                        waiting = self._fails(packet, stream)
            except av.error.FFmpegError as error:
                self._note(explain(error))
                self._take(flush(stream))

    def _fails(self, packet: Packet, stream: VideoStream) -> bool:
        """Decode a packet; returns whether that failed, so that a key frame is to be waited for."""
        try:
            self._take(packet.decode())
        except av.error.FFmpegError as error:
            self._note(explain(error))
            self._take(flush(stream))
            stream.codec_context.flush_buffers()
            self._trusted = True
            return True
        return False

    def _note(self, problem: str) -> None:
        if self.problem is None:
            self.problem = problem
            self.fails_at_end = True

    def _take(self, pictures: list[VideoFrame]) -> None:
        for picture in pictures:
            number = self._number(picture)
            self._count += 1
            if picture.is_corrupt:
                self._trusted = False
                self._note("its data are damaged")
            elif number in self._starts:
                self._trusted = True
            if self._trusted and number is not None:
                self.whole.add(number)

    def _number(self, picture: VideoFrame) -> int | None:
        """Which frame a picture is; None for one that the scan does not count."""
        if self._pts is None:
            return self._count if self._count < self._readable else None
        if picture.pts is None:
            return None
        number = int(np.searchsorted(self._pts, picture.pts))
        return number if number < len(self._pts) and self._pts[number] == picture.pts else None
