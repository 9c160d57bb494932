"""The packets of a video stream: which frames are there, which are missing, and where decoding can start."""

from __future__ import annotations

import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet as RawPacket
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videogn.video.decoders.leading import Leading, leading_packets
from videogn.video.decoders.packets import Packet, summarise
from videogn.video.decoders.stream import flush, is_intra, packets
from videogn.video.errors import explain
from videogn.video.integrity import is_cut
from videogn.video.storage import Source

_DEFAULT_FPS = 30.0
#: Largest number of frames that may be stored before, but displayed after others: H.264 allows 16.
REORDERED = 17
#: Most that a span of time stamps differs from that of the exact times because of its ticks, as a share.
_ROUNDED = 0.02
#: Seconds; a container that says more (or no number at all) is not believed.
_LONGEST = 1e7


class PacketList:
    """Reads all packets of a stream, from the first key frame on, and decodes until the first picture.

    Args:
        container: Container from `open_stream`, at its beginning.
        stream: Stream from `open_stream`.
        source: Path or bytes that the container was opened from.

    Attributes:
        packets: Packets in decoding order.
        skipped: Number of packets before the first key frame.
        unmarked: Whether no packet is marked as a key frame although the first is one.
        picture: First picture, or None, for the reason in `problem`.
        problem: Reason why no picture could be decoded.
        cut: Whether frames are missing at the end.
        ends_early: Whether the end of the file is missing, even if no frame is lost with it.
        missing: Number of frames missing at the end.
        leading: Which leading pictures can be decoded, from `read_leading`; until it is set, none.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, source: Source) -> None:
        self.packets: list[Packet] = []
        self.skipped = 0
        self.unmarked = False
        self.picture: VideoFrame | None = None
        self.problem = "no frame can be decoded"
        self.cut = False
        self.ends_early = False
        self.leading = Leading()
        self._stream = stream
        self._container = container.format.name
        self._gap: int | None = None  # pts of the first frame after lost ones
        self._before: list[Packet] = []  # packets before the first key frame
        self._first: RawPacket | None = None
        self._second: RawPacket | None = None
        self._codec = stream.codec_context.name
        self._extradata = bytes(stream.codec_context.extradata or b"")
        last_is_partial = False
        try:
            for packet in packets(container, stream):
                last_is_partial = packet.is_corrupt if packet.size else last_is_partial
                self._add(packet)
        except av.error.FFmpegError:
            self.cut = True
        self._take_unmarked()
        self._starts = self._find_starts()
        if last_is_partial and self.packets:
            self.packets.pop()
            self.cut = True
        self.missing = self._missing(container, stream, source)
        self.cut = self.cut or self.missing > 0

    def _add(self, packet: RawPacket) -> None:
        if packet.size and not self.packets and not packet.is_keyframe:
            self._first = self._first or packet
            self._before.append(summarise(packet, self._codec, self._extradata))
            self.skipped += 1
            return
        if packet.size:
            self.packets.append(summarise(packet, self._codec, self._extradata))
            if len(self.packets) == 2:
                self._second = packet
        if self.picture is None and self.packets:
            try:
                if len(self.packets) == 1:
                    self.picture = self._alone(packet)
                if self.picture is None:
                    self.picture = next(iter(packet.decode()), None)
            except av.error.FFmpegError as error:
                self.problem = f"no frame can be decoded ({explain(error)})"

    def _alone(self, packet: RawPacket) -> VideoFrame | None:
        """The picture of one packet, without the packets after it that a reordering decoder would wait for."""
        decoded = packet.decode() or flush(self._stream)
        self._stream.codec_context.flush_buffers()
        return next(iter(decoded), None)

    def _take_unmarked(self) -> None:
        """Keep the packets if none is marked as a key frame (RoQ, GIF in Matroska) although the first is one."""
        if self.packets or self._first is None:
            return
        try:
            picture = self._alone(self._first)
        except av.error.FFmpegError:
            return
        if picture is not None and is_intra(picture):
            self.picture, self.packets, self.unmarked = picture, self._before, True
            self.skipped = 0

    def _find_starts(self) -> list[Packet]:
        """Packets at which decoding can start, displayed or not."""
        starts = [packet for packet in self.packets if packet.start]
        if self._second is None or not all(packet.key for packet in self.packets):
            return starts
        if self._stream.codec_context.codec.intra_only:
            return starts
        # Some demuxers mark every packet of some codecs (H.263 in AVI).
        try:
            picture = self._alone(self._second)
        except av.error.FFmpegError:
            picture = None
        return starts if picture is not None and is_intra(picture) else starts[:1]

    def lost_start(self, container: InputContainer) -> bool:
        """Return whether an mp4 lists its first packet as a key frame and it is none, which is damage."""
        if not self.skipped or "mp4" not in container.format.name:
            return False
        entries = self._stream.index_entries
        return len(entries) > 0 and entries[0].is_keyframe

    def _missing(self, container: InputContainer, stream: VideoStream, source: Source) -> int:
        """Number of packets beyond the end of the file: as an mp4 lists them, or else estimated from the times."""
        if stream.frames and "mp4" in container.format.name:
            return max(int(self.cut), len(stream.index_entries) - len(self.packets) - self.skipped)
        self.ends_early = is_cut(source, container.format.name)
        if "matroska" in container.format.name and (told := _told_end(container, stream)) is not None:
            return self._missing_until(told, stream)
        if not self.ends_early:
            return int(self.cut)
        if container.format.name in ("mpegts", "mpeg", "gif") and not self.cut and self.packets:
            self.packets.pop()  # it is incomplete, which the demuxer does not know
        return max(1, len(getattr(stream, "index_entries", ())) - len(self.packets) - self.skipped)

    def _missing_until(self, told: float, stream: VideoStream) -> int:
        """Number of frames lost by Matroska, which lists none: after the last one, or in gaps shortly before it."""
        ticks = np.array(sorted(packet.pts for packet in self.packets if packet.pts is not None), np.int64)
        times = ticks * float(stream.time_base or 1)
        rate = frame_rate(stream, ticks)
        after = told - times[-1] if len(times) else told
        lost = round(after * rate) - 1
        if not self.ends_early:
            # A last picture may stand for long, and another stream may go on.
            usual = max(1 / rate, 1 / frame_rate(stream, None))
            well_beyond = len(times) > 1 and after > 2 * float(np.diff(times).max()) + usual
            return max(int(self.cut), lost) if well_beyond and "DURATION" in stream.metadata else int(self.cut)
        before, in_gaps = _before_gaps(times, rate)
        if in_gaps:
            self._gap = int(ticks[before])
        return max(int(self.cut), lost) + in_gaps

    def decord_risk(self, timed: bool) -> str | None:
        """Return why decord would miscount the frames, or None.

        Args:
            timed: Whether time stamps tell the frames apart.
        """
        if self.cut or self.ends_early:
            return "the file is cut short"
        if self.skipped:
            return "it does not start on a key frame"
        return None if timed else "time stamps do not tell its frames apart"

    def surely_readable(self, decoded: int) -> int:
        """Return how many frames of a file that is cut short cannot be affected by its last, partial packet.

        Args:
            decoded: Number of pictures that a decoder gives.
        """
        return max(0, min(decoded, len(self.shown())) - int(self._stream.codec_context.has_b_frames))

    def shown(self) -> list[Packet]:
        """Return the packets whose pictures are displayed, without leading ones that cannot be decoded."""
        count = 1 + leading_packets(self.packets, self._container)
        leading = [packet for packet in self.packets[1:count] if packet.pts in self.leading.pts]
        possible = [*self.packets[:1], *leading, *self.packets[count:]]
        return [packet for packet in possible if not (packet.hidden or packet.invisible)]

    def pts(self) -> np.ndarray | None:
        """Return the increasing time stamps of the decodable frames, int64; None if they do not tell frames apart."""
        stamps = [packet.pts for packet in self.shown()]
        first = self.packets[0].pts
        if first is None or None in stamps or len(set(stamps)) < len(stamps):
            return None
        pts = np.sort(np.array(stamps, np.int64))
        if len(pts) and pts[0] < first and pts[0] not in self.leading.pts:  # times that begin anew on the way
            return None
        if self._gap is not None:
            pts = pts[pts < self._gap]
        # Nothing is decoded after it is displayed: up to the last decoding time, no frame can be among the lost ones.
        last = self.packets[-1].dts
        return pts[pts <= last] if self.cut and last is not None else pts

    def starts(self, pts: np.ndarray | None) -> np.ndarray:
        """Return the increasing indices of the frames at which decoding can start, int64.

        Args:
            pts: Time stamps of the frames, or None if they do not tell frames apart.
        """
        if pts is None:
            return np.empty(0, np.int64)
        starts = np.array([packet.pts for packet in self._starts if packet.pts is not None], np.int64)
        return np.flatnonzero(np.isin(pts, starts)).astype(np.int64)


def _before_gaps(times: np.ndarray, rate: float) -> tuple[int, int]:
    """Number of frames before the first gap near the end, and number of frames that fit into the gaps there.

    Frames that are displayed before the last ones, but stored after them, are lost with the end of the file. At a
    variable frame rate nothing counts as a gap.

    Args:
        times: Times of the frames in seconds, float (frames,), increasing.
        rate: Frames per second according to the container.
    """
    steps = np.diff(times)
    early, late = np.split(steps, [max(0, len(steps) - REORDERED)])
    usual = float(np.median(steps)) if len(early) else 1 / rate
    gaps = np.flatnonzero(late > 1.5 * usual)
    if not len(gaps) or np.any(early > 1.5 * usual):
        return len(times), 0
    return len(early) + int(gaps[0]) + 1, int(np.sum(np.round(late[gaps] / usual) - 1))


def _told_end(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds at which the video ends according to Matroska, or else the longest stream; None if it does not say."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        told = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        told = (container.duration or 0) / 1_000_000
    return told if 0 < told < _LONGEST else None


def frame_rate(stream: VideoStream, pts: np.ndarray | None) -> float:
    """Return the mean frames per second: (n - 1) / (last - first) of the time stamps.

    The container's word, which may be a mere default, counts where no two stamps are there, and where the stamps are
    its frames rounded to ticks. Without either it is 30.

    Args:
        stream: Stream from `open_stream`.
        pts: Increasing time stamps of the frames in ticks, or None.
    """
    told = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    if pts is None or len(pts) < 2 or not stream.time_base:
        return next(iter(told), _DEFAULT_FPS)
    steps, ticks = len(pts) - 1, int(pts[-1] - pts[0])
    exact = (rate for rate in told if abs(steps / (rate * stream.time_base) - ticks) <= min(1, _ROUNDED * ticks))
    return next(exact, float(steps / (ticks * stream.time_base)))
