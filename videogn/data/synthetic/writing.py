"""The motion data set: videos of motion.py as real H.264 files, in Kinetics' layout."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videogn.checks import expanded, require_at_least
from videogn.choices import MotionSettings
from videogn.data.manifest import is_complete, write_manifest
from videogn.data.synthetic.motion import MOTIONS, draw_video
from videogn.system.files import write_text
from videogn.system.killable import LONGEST, KillableProcess, ProcessDiedError
from videogn.system.killable_pool import work_through
from videogn.video.encode import write_video

_FPS = 30
_MANIFEST = "motion.json"
#: Increased whenever the same parameters no longer give the same files.
_VERSION = 2


class _Video(NamedTuple):
    path: Path
    motion: str
    size: int
    frames: int
    noise: int
    entropy: tuple[int, ...]


def write_motion_dataset(
    out: str | Path,
    settings: MotionSettings,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the synthetic motion data set: `train/CLASS/*.mp4`, `val/CLASS/*.mp4`, `train.csv` and `val.csv`.

    The same arguments give the same files for any number of workers. A folder that already holds the same data set
    stays as it is; an interrupted one is written again.

    Args:
        out: Folder of the data set, made if it does not exist.
        settings: Numbers of videos, their size and their seed.
        workers: Number of processes that draw and encode. Default: 1.
        progress: Called with (videos written, videos in total).

    Returns:
        `out`.

    Raises:
        ValueError: If `out` holds something else, or `workers` is less than 1.
        OSError: If a file cannot be written; no other is begun.
    """
    require_at_least("workers", workers, 1)
    out = expanded(out)
    manifest = {"version": _VERSION, **asdict(settings), "val_videos_per_class": settings.val_count}
    # Of an earlier version that had no other noise.
    if is_complete(out / _MANIFEST, manifest, "a motion data set", earlier={"noise": MotionSettings.noise}):
        return out
    write_manifest(out / _MANIFEST, manifest, complete=False)
    videos = []
    for number, (split, count) in enumerate((("train", settings.videos_per_class), ("val", settings.val_count))):
        rows: list[list[str | int]] = []
        for label, motion in enumerate(MOTIONS):
            for index in range(count):
                youtube_id = f"{split[0]}{label:02d}{index:08d}"  # eleven characters, as YouTube's
                name = f"{youtube_id}_{0:06d}_{_seconds(settings.frames):06d}.mp4"
                entropy = (settings.seed, number, label, index)
                path = out / split / motion / name
                videos.append(_Video(path, motion, settings.size, settings.frames, settings.noise, entropy))
                rows.append([motion, youtube_id, 0, _seconds(settings.frames), split])
        write_text(out / f"{split}.csv", _kinetics_csv(rows))
    _write_videos(videos, workers, progress)
    write_manifest(out / _MANIFEST, manifest, complete=True)
    return out


def _seconds(frames: int) -> int:
    return -(-frames // _FPS)


def _kinetics_csv(rows: list[list[str | int]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
    writer.writerows(rows)
    return text.getvalue()


def _write_videos(videos: list[_Video], workers: int, progress: Callable[[int, int], None]) -> None:
    if workers == 1:
        for done, video in enumerate(videos, 1):
            _write_one(video)
            progress(done, len(videos))
        return
    # Of those that are interrupted nothing is left but partial files, which the next run removes.
    with closing(work_through(f"{__name__}:_Writer", _written, videos, workers=min(workers, len(videos)))) as written:
        for done, _ in enumerate(written, 1):
            progress(done, len(videos))


class _Writer:
    """What writes videos in a process of its own."""

    def write(self, video: _Video) -> None:
        _write_one(video)


def _written(process: KillableProcess, video: _Video) -> None:
    try:
        process.call("write", video, limit=LONGEST)
    except ProcessDiedError as error:  # for want of memory, for instance
        raise OSError(f"{video.path} cannot be written ({error})") from error


def _write_one(video: _Video) -> None:
    rng = np.random.default_rng(video.entropy)
    motion = MOTIONS[video.motion]
    frames = draw_video(motion, size=video.size, num_frames=video.frames, rng=rng, noise=video.noise)
    # All frames are coded with equal quality, so that the codec does not distinguish a class from its opposite.
    write_video(video.path, frames, _FPS, crf=16, gop=12, options={"preset": "veryfast"})
