"""The sound of a video, for an mp4 file that shows the same frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import av
import av.error

from videogn.choices import FRAME_RATE
from videogn.video.decoders.frame_table import read_frame_table
from videogn.video.decoders.stream import open_stream

#: Codecs that mp4 holds and browsers play; sound in others is encoded again.
_COPIED = frozenset({"aac", "mp3", "opus", "flac"})
#: Sampling rates of AAC.
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
#: Seconds of sound before the first frame that a decoder needs to settle; the file says that they are not played.
_SETTLING = 0.1


@contextmanager
def sound_of(
    path: str | os.PathLike[str],
    target: Any,
    *,
    start: float = 0.0,
    end: float | None = None,
    frame_rate: float = FRAME_RATE,
) -> Iterator[Sound | None]:
    """Open the sound of a video, or of a part of it, for a file that is written.

    Args:
        path: Video: file, member of a tar shard, or URL of either; or a folder of numbered images.
        target: PyAV's container that is written, before anything is in it.
        start: Where the part begins, in seconds from the first frame. Default: 0.
        end: Where it ends. Default: with the sound.
        frame_rate: Frames per second of a folder of images. Default: 25.

    Yields:
        The sound; None if the video has none.

    Raises:
        VideoDecodeError: The video cannot be read.
    """
    table = read_frame_table(path, frame_rate)
    with ExitStack() as opened:
        if table.images is not None:
            yield None
            return
        source, pictures = opened.enter_context(open_stream(path, table.source))
        stream: Any = source.streams.best("audio")
        if stream is None or stream.codec_context is None:
            yield None
            return
        begins = (pictures.start_time or 0) if table.pts is None else int(table.pts[0])
        first = float(begins * table.time_base) + start
        if start > 0:
            source.seek(round((first - _SETTLING) * av.time_base))
        yield Sound(source, stream, target, first, None if end is None else end - start)


class Sound:
    """Sound that is put into a file bit by bit, beside its pictures; see `sound_of`.

    Args:
        source: Container that is read.
        stream: Its audio stream.
        target: Container that is written.
        start: Second of the source, in its own time stamps, that is time 0 of the file.
        end: Seconds after that at which the sound ends; None for all of it.
    """

    def __init__(self, source: Any, stream: Any, target: Any, start: float, end: float | None) -> None:
        self._start, self._end, self._target = start, end, target
        self._codec = stream.codec_context.name
        if self._codec.removesuffix("float") in _COPIED:  # FFmpeg's usual decoder of MP3 is mp3float
            self._stream = target.add_stream_from_template(stream)
            self._packets = self._copied(source, stream)
        else:
            rate = stream.rate if stream.rate in _AAC_RATES else 48000
            layout = "mono" if stream.channels == 1 else "stereo"
            self._stream = target.add_stream("aac", rate=rate, layout=layout)
            self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1024)
            self._packets = self._encoded(source, stream)
        self._next = next(self._packets, None)

    def write_until(self, seconds: float) -> None:
        """Write the sound up to a time of the file; what lies beside the pictures needs not wait in memory."""
        while self._next is not None and self._next[0] <= seconds:
            self._target.mux(self._next[1])
            self._next = next(self._packets, None)

    def _copied(self, source: Any, stream: Any) -> Iterator[tuple[float, Any]]:
        last = None
        for packet, time in self._read(source, stream):
            packet.pts -= round(self._start / packet.time_base)
            packet.dts = packet.pts  # no codec of these reorders
            if last is None or packet.dts > last:
                last = packet.dts
                packet.stream = self._stream
                yield time, packet

    def _encoded(self, source: Any, stream: Any) -> Iterator[tuple[float, Any]]:
        time = 0.0
        for packet, time in self._read(source, stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:  # a damaged packet is a moment of silence
                continue
            for frame in frames:
                if frame.pts is None:
                    continue
                frame.pts -= round(self._start / frame.time_base)
                if float(frame.pts * frame.time_base) + frame.samples / frame.sample_rate <= 0:
                    continue
                for whole in self._resampler.resample(frame):
                    yield time, self._stream.encode(whole)
        try:
            rest = self._resampler.resample(None)
        except (av.error.FFmpegError, ValueError):  # nothing ever came
            return
        for whole in rest:
            yield time, self._stream.encode(whole)
        yield time, self._stream.encode(None)

    def _read(self, source: Any, stream: Any) -> Iterator[tuple[Any, float]]:
        """Packets, each with the time of the file at which it is heard."""
        try:
            for packet in source.demux(stream):
                if packet.pts is None:
                    continue
                time = float(packet.pts * packet.time_base) - self._start
                if self._end is not None and time >= self._end:
                    return
                if time >= -_SETTLING:
                    yield packet, time
        except av.error.FFmpegError:  # a file that is cut short
            return
