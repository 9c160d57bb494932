"""Video files for the tests, made with PyAV; every frame shows its own number, so a wrong index is seen exactly."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 8
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


def numbered(count: int, height: int = 64, width: int = 128) -> np.ndarray:
    """Frames 0 .. count - 1, uint8 (N, H, W, 3): the number as eight black or white bars, the most significant left.

    The bottom quarter is a moving colour ramp, so that the pictures differ in more than the number and have a way up.
    """
    bits = (np.arange(count)[:, None] >> np.arange(BITS)[::-1]) & 1
    frames = np.zeros((count, height, width, 3), np.uint8)
    columns = np.arange(width) * BITS // width
    frames[:, : height * 3 // 4] = np.where(bits[:, columns], 235, 16)[:, None, :, None]
    ramp = (np.arange(width)[None] * 2 + np.arange(count)[:, None] * 3) % 256
    frames[:, height * 3 // 4 :, :, 0] = ramp[:, None]
    frames[:, height * 3 // 4 :, :, 1] = 255 - ramp[:, None]
    return frames


def read_numbers(frames: np.ndarray) -> list[int]:
    """The number shown by each frame of `numbered`."""
    height, width = frames.shape[1:3]
    rows = frames[:, height // 8 : height // 2, :, :].mean(axis=(1, 3))
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return [int(value) for value in (rows[:, centres] > 128) @ (1 << np.arange(BITS)[::-1])]


def write(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    gop: int = 12,
    pts: np.ndarray | None = None,
    rotation: int | None = None,
    ratio: Fraction | None = None,
) -> Path:
    """Encode at 30 frames per second.

    Args:
        pts: presentation times in units of 1/30 s, for a variable frame rate.
        rotation: degrees for the display matrix.
        ratio: sample aspect ratio.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=30, options={"threads": "1", **(options or {})})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 30)
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if pts is None else int(pts[number])
            frame.time_base = Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source: Path, target: Path, keep: Any = None, shift: int = 0, container_options: Any = None) -> Path:
    """Copy the packets for which `keep(number, packet)` holds; times move by `shift` frames of 1/30 s.

    A negative shift makes the mp4 muxer write an edit list that hides the frames before time zero.
    """
    with av.open(str(source)) as reader, av.open(str(target), "w", options=container_options or {}) as writer:
        stream = reader.streams.video[0]
        out = writer.add_stream_from_template(stream)
        ticks = int(Fraction(shift, 30) / stream.time_base)
        for number, packet in enumerate(packet for packet in reader.demux(stream) if packet.size):
            if keep is None or keep(number, packet):
                packet.pts += ticks
                packet.dts += ticks
                packet.stream = out
                writer.mux(packet)
    return target


H264 = {"preset": "veryfast", "bf": "3"}
COUNT = 60


def _noisy(path: Path, faststart: bool = True) -> Path:
    """Frames with noise below the number, so that the file is large and a cut falls among the pictures."""
    frames = numbered(COUNT)
    frames[:, 48:] = np.random.default_rng(0).integers(0, 256, frames[:, 48:].shape, dtype=np.uint8)
    return write(path, frames, options=H264, container_options={"movflags": "faststart"} if faststart else None)


def _cut(path: Path) -> None:
    data = _noisy(path).read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])


def _zeroed(path: Path) -> None:
    data = bytearray(_noisy(path).read_bytes())
    half = len(data) // 2
    data[half : half + 30_000] = bytes(30_000)
    path.write_bytes(data)


def _from(path: Path, first: int, count: int = COUNT, **kwargs: Any) -> None:
    """An H.264 file whose packets before number `first` are missing."""
    source = write(path.with_name("source.mp4"), numbered(count), options=H264, **kwargs)
    remux(source, path, keep=lambda number, packet: number >= first)


def _tail(path: Path) -> None:
    """An mp4 whose edit list ends after 1.4 of its 2 seconds (the muxer writes lengths in thousandths)."""
    data = bytearray(write(path, numbered(COUNT), options=H264).read_bytes())
    length = data.index(b"elst") + 12  # after the version, the flags and the number of entries
    assert int.from_bytes(data[length : length + 4], "big") == 2000
    data[length : length + 4] = (1400).to_bytes(4, "big")
    path.write_bytes(data)


def _invisible(path: Path) -> None:
    """VP8 whose packets 20 and 41 are made never-shown frames, as an encoder's alt-ref frames are."""
    source = write(path.with_name("source.webm"), numbered(COUNT), codec="libvpx", options=VP8, gop=COUNT)
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        stream = reader.streams.video[0]
        out = writer.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in reader.demux(stream) if packet.size):
            data = bytearray(bytes(packet))
            if number in (20, 41):
                data[0] &= ~0x10 & 255
            copy = av.Packet(bytes(data))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, out
            writer.mux(copy)


def _two_streams(path: Path) -> None:
    with av.open(str(path), "w") as container:
        sizes = ((64, 128), (128, 256))
        streams: list[Any] = [container.add_stream("libx264", rate=30) for _ in sizes]
        for stream, (height, width) in zip(streams, sizes, strict=True):
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(COUNT):
            for stream, (height, width) in zip(streams, sizes, strict=True):
                picture = numbered(COUNT, height, width)[number]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())


def _resized(path: Path) -> None:
    """VP8 whose picture grows from 128x64 to 160x96 after 30 frames."""
    with av.open(str(path), "w") as writer:
        out = None
        for part, (height, width) in enumerate(((64, 128), (96, 160))):
            source = write(path.with_name(f"part{part}.webm"), numbered(30, height, width), codec="libvpx", options=VP8)
            with av.open(str(source)) as reader:
                stream = reader.streams.video[0]
                out = out or writer.add_stream_from_template(stream)
                for packet in reader.demux(stream):
                    if packet.size:
                        packet.pts = packet.dts = packet.pts + part * 1000
                        packet.stream = out
                        writer.mux(packet)


def _audio_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _headless(path: Path) -> None:
    """An mp4 whose index (moov, at the end) is cut off."""
    data = _noisy(path, faststart=False).read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])


def _h264(path: Path, height: int = 64, width: int = 128, **kwargs: Any) -> None:
    write(path, numbered(COUNT, height, width), **{"options": H264, **kwargs})


def _other(path: Path, codec: str, height: int = 64, width: int = 128, **kwargs: Any) -> None:
    write(path, numbered(COUNT, height, width), codec=codec, **kwargs)


VP8 = {"crf": "10", "b": "1000000", "cpu-used": "4"}
VP9 = {"crf": "20", "b": "0", "cpu-used": "5", "lag-in-frames": "25", "auto-alt-ref": "1"}
X265 = {"preset": "ultrafast", "x265-params": "pools=1:log-level=none:open-gop=1:bframes=3"}
OPEN_GOP = {**H264, "x264-params": "open-gop=1:b-adapt=0:scenecut=0:keyint=12:min-keyint=12"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 6, COUNT))

# Files that decord reads as PyAV does; the frames show 0 .. 59.
SAFE: dict[str, Callable[[Path], Any]] = {
    "gop12.mp4": _h264,
    "gop250.mp4": lambda path: _h264(path, gop=250),
    "h264.mkv": _h264,
    "variable_rate.mp4": lambda path: _h264(path, pts=UNEVEN),
    "full_range.mp4": lambda path: _h264(path, pix_fmt="yuvj420p"),
    "with a space, ünïcödé 视频.mp4": _h264,
    "width18.mp4": lambda path: _h264(path, width=18),
    "height16.mp4": lambda path: _h264(path, height=16),
    "kinetics.mp4": lambda path: _h264(path, height=96, width=130),
    "vp8.webm": lambda path: _other(path, "libvpx", options=VP8),
    "vp9.webm": lambda path: _other(path, "libvpx-vp9", options=VP9),
    "vp9_odd_width.webm": lambda path: _other(path, "libvpx-vp9", width=127, options=VP9),
    "mpeg4.mp4": lambda path: _other(path, "mpeg4"),
}

# Files that decord is kept from: what makes them, the words of the reason, the numbers that their frames show.
RISKY: dict[str, tuple[Callable[[Path], Any], str, list[int]]] = {
    "mpegts.ts": (_h264, "container mpegts", list(range(COUNT))),
    "h264.avi": (_h264, "time stamps", list(range(COUNT))),
    "raw.h264": (_h264, "time stamps", list(range(COUNT))),
    "mpeg4.avi": (lambda path: _other(path, "mpeg4"), "container avi", list(range(COUNT))),
    "flash.flv": (_h264, "container flv", list(range(COUNT))),
    "fragments.mp4": (
        lambda path: _h264(path, container_options={"movflags": "frag_keyframe+empty_moov"}),
        "fragmented",
        list(range(COUNT)),
    ),
    "head.mp4": (
        lambda path: remux(write(path.with_name("s.mp4"), numbered(COUNT), options=H264), path, shift=-17),
        "edit list",
        list(range(17, COUNT)),
    ),
    "tail.mp4": (_tail, "edit list", list(range(42))),
    "non_key_start.mp4": (lambda path: _from(path, 15), "not start on a key frame", list(range(23, COUNT))),
    "non_key_start.mkv": (lambda path: _from(path, 15), "not start on a key frame", list(range(23, COUNT))),
    "open_gop.mp4": (lambda path: _h264(path, options=OPEN_GOP), "recovery points", list(range(COUNT))),
    "open_gop_hevc.mp4": (lambda path: _other(path, "libx265", options=X265), "open groups", list(range(COUNT))),
    "open_gop_mpeg4.mp4": (lambda path: _other(path, "mpeg4", options={"bf": "2"}), "open groups", list(range(COUNT))),
    "intra_refresh.mp4": (
        lambda path: _h264(path, options={**H264, "x264-params": "intra-refresh=1"}),
        "recovery points",
        list(range(COUNT)),
    ),
    "interlaced.mp4": (
        lambda path: _h264(path, options={**H264, "x264-params": "tff=1"}),
        "interlaced",
        list(range(COUNT)),
    ),
    "ten_bits.mp4": (lambda path: _h264(path, pix_fmt="yuv420p10le"), "8 bits", list(range(COUNT))),
    "odd_height.mp4": (lambda path: _other(path, "mpeg4", height=63), "odd height", list(range(COUNT))),
    "width16.mp4": (lambda path: _h264(path, width=16), "width 16", list(range(COUNT))),
    "width48.mp4": (lambda path: _h264(path, width=48), "width 48", list(range(COUNT))),
    "two_streams.mp4": (_two_streams, "several video streams", list(range(COUNT))),
    "invisible.webm": (_invisible, "never displayed", [n for n in range(COUNT) if n not in (20, 41)]),
    "animation.gif": (lambda path: _other(path, "gif", pix_fmt="rgb8"), "container gif", list(range(COUNT))),
}

# Files with damage, and files that are no videos: what makes them, the words of the reason (None: opens, frames miss).
BROKEN: dict[str, tuple[Callable[[Path], Any], str | None]] = {
    "cut.mp4": (_cut, None),
    "zeroed.mp4": (_zeroed, None),
    "empty.mp4": (lambda path: path.touch(), "file is empty"),
    "text.mp4": (lambda path: path.write_text("no video\n" * 99), "not a readable video"),
    "text.txt": (lambda path: path.write_text("no video\n" * 99), "not a readable video"),
    "folder.mp4": (lambda path: path.mkdir(), "is a folder without numbered images"),
    "missing.mp4": (lambda path: None, "file not found"),
    "no_moov.mp4": (_headless, "not a readable video (Invalid data found when processing input)"),
    "no_key_frame.mkv": (lambda path: _from(path, 5, count=30, gop=250), "no key frame"),
    "audio.mp4": (_audio_only, "no video stream"),
}
