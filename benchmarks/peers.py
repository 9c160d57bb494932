"""How other libraries get clips out of a file, each with one decoder thread; missing packages are left out.

A strategy takes the file and the clips, int64 (V, T) frame numbers, and gives nothing back: it is timed.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from videogn.video.decoders.torchcodec_reader import TorchcodecReader

Strategy = Callable[[Path, np.ndarray, float], None]


def pytorchvideo_pyav(path: Path, clips: np.ndarray, fps: float) -> None:
    """EncodedVideo.get_clip, once a clip: every frame of the span, as float32."""
    from pytorchvideo.data.encoded_video_pyav import EncodedVideoPyAV

    video = EncodedVideoPyAV(io.BytesIO(path.read_bytes()), path.name, decode_audio=False)
    video._container.streams.video[0].codec_context.thread_count = 1
    _get_clips(video, clips, fps)
    video.close()


def pytorchvideo_decord(path: Path, clips: np.ndarray, fps: float) -> None:
    """The same over decord."""
    from pytorchvideo.data.encoded_video_decord import EncodedVideoDecord

    video = EncodedVideoDecord(io.BytesIO(path.read_bytes()), path.name, decode_audio=False, num_threads=1)
    _get_clips(video, clips, fps)


def _get_clips(video: Any, clips: np.ndarray, fps: float) -> list[torch.Tensor]:
    length, interval = clips.shape[1], int(clips[0, 1] - clips[0, 0])
    seconds = Fraction(length * interval) / Fraction(fps).limit_denominator(1001)
    got = []
    for start in clips[:, 0].tolist():
        first = Fraction(start) / Fraction(fps).limit_denominator(1001)
        clip = video.get_clip(first, min(first + seconds, Fraction(video.duration)))["video"]  # (C, T', H, W)
        got = [clip]
    return got


def pytorchvideo_training(path: Path, clips: np.ndarray, fps: float, backend: str, rng: np.random.Generator) -> None:
    """One random clip: get_clip, uniform subsample, short side 256 to 320, crop 224, mirror, normalise; in float32."""
    if backend == "pyav":
        from pytorchvideo.data.encoded_video_pyav import EncodedVideoPyAV

        video = EncodedVideoPyAV(io.BytesIO(path.read_bytes()), path.name, decode_audio=False)
        video._container.streams.video[0].codec_context.thread_count = 1
    else:
        from pytorchvideo.data.encoded_video_decord import EncodedVideoDecord

        video = EncodedVideoDecord(io.BytesIO(path.read_bytes()), path.name, decode_audio=False, num_threads=1)
    (clip,) = _get_clips(video, clips, fps)  # float32 (C, T', H, W)
    clip = clip[:, torch.linspace(0, clip.shape[1] - 1, clips.shape[1]).long()] / 255
    short_side = int(rng.integers(256, 320, endpoint=True))
    scale = short_side / min(clip.shape[2:])
    size = [max(int(side * scale), short_side) for side in clip.shape[2:]]
    clip = F.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = (int(rng.integers(0, side - 224, endpoint=True)) for side in size)
    clip = clip[:, :, top : top + 224, left : left + 224]
    clip = clip.flip(-1) if rng.random() < 0.5 else clip
    (clip - 0.45) / 0.225


def every_clip_pyav(path: Path, clips: np.ndarray, fps: float) -> None:
    """SlowFast's way: for every clip seek, decode the span to its end, turn all its frames into arrays, pick."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        ticks = float(1 / (Fraction(fps).limit_denominator(1001) * stream.time_base))
        for clip in clips:
            first, last = clip[0] * ticks, max(clip) * ticks
            container.seek(max(int(first) - 1024, 0), any_frame=False, backward=True, stream=stream)
            frames = {}
            for frame in container.decode(video=0):
                frames[frame.pts] = frame
                if frame.pts >= last:
                    break
            kept = [frames[pts] for pts in sorted(frames) if pts >= first - 1]
            decoded = torch.as_tensor(np.stack([frame.to_rgb().to_ndarray() for frame in kept]))
            decoded[torch.linspace(0, len(decoded) - 1, len(clip)).long()]


def all_indices_decord(path: Path, clips: np.ndarray, fps: float) -> None:
    """mmaction2's way: one get_batch of the frames of all clips, repeats included."""
    import decord

    frames = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1).get_batch(clips.ravel().tolist())
    frames.asnumpy() if hasattr(frames, "asnumpy") else frames.numpy()


def unique_frames_torchcodec(path: Path, clips: np.ndarray, fps: float) -> None:
    """Each needed frame once, by torchcodec; no views are made."""
    _torchcodec(path, clips)


def unique_frames_and_views_torchcodec(path: Path, clips: np.ndarray, fps: float) -> None:
    """Each needed frame once, by torchcodec, then the same views as ours, one at a time."""
    _, inverse = np.unique(clips, return_inverse=True)
    frames = _torchcodec(path, clips)
    for rows in inverse.reshape(clips.shape):
        frames[torch.from_numpy(rows)]


def _torchcodec(path: Path, clips: np.ndarray) -> torch.Tensor:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="exact", dimension_order="NHWC")
    return decoder.get_frames_at(np.unique(clips).tolist()).data


def installed(*modules: str) -> bool:
    """Import all these; whether they can be, and used. The time of a strategy then has none of importing."""
    for module in modules:
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError):
            return False
    return "torchcodec.decoders" not in modules or TorchcodecReader.problem() is None


#: Name -> (required packages, strategy).
TEST_STRATEGIES: dict[str, tuple[tuple[str, ...], Strategy]] = {
    "pytorchvideo get_clip x 10 (pyav)": (("pytorchvideo.data.encoded_video_pyav",), pytorchvideo_pyav),
    "pytorchvideo get_clip x 10 (decord)": (("pytorchvideo.data.encoded_video_decord", "decord"), pytorchvideo_decord),
    "decode for every clip (pyav)": ((), every_clip_pyav),
    "decord get_batch of all indices": (("decord",), all_indices_decord),
    "torchcodec unique frames": (("torchcodec.decoders",), unique_frames_torchcodec),
    "torchcodec unique frames + views": (("torchcodec.decoders",), unique_frames_and_views_torchcodec),
}
