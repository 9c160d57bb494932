"""The largest numbers that options take: a mistyped one is refused before anything is allocated or started for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videogn.checks import require_at_most

_YEAR = 366 * 86400
_CLIPS, _FRAMES, _PIXELS, _PROCESSES = 10_000, 100_000, 10_000, 1024

#: Name of an option, of any command -> the largest value that it takes: far above what anybody has used, and below what
#: takes all memory, starts processes without end, or is no time that a system can wait for.
LARGEST: dict[str, float] = {
    **dict.fromkeys(("clips", "num_clips"), _CLIPS),
    **dict.fromkeys(("clip_length", "interval", "frames", "min_frames", "gop"), _FRAMES),
    **dict.fromkeys(("crop_size", "crop", "short_side", "size", "train_short_sides"), _PIXELS),
    **dict.fromkeys(("fps", "frame_rate"), 100_000),
    **dict.fromkeys(("batch_size", "eval_batch_size", "batch_clips", "clips_per_forward", "base_batch"), 1_000_000),
    **dict.fromkeys(("workers", "num_workers", "jobs", "threads", "devices", "gpus_per_cell"), _PROCESSES),
    **dict.fromkeys(("cpus_per_cell", "at_once", "retries", "num_nodes"), 100_000),
    **dict.fromkeys(("top_k", "save_top_k", "repeats", "rounds"), 100_000),
    **dict.fromkeys(("videos_per_class", "val_videos_per_class", "images_per_class"), 100_000),
    **dict.fromkeys(("videos", "num_classes", "epochs", "accumulate_grad_batches"), 1_000_000),
    **dict.fromkeys(("time_limit", "timeout", "max_seconds", "timeline", "smooth", "min_length"), _YEAR),
    "minutes": _YEAR / 60,
    "max_mb": 1_000_000,
}


def check_largest(values: Mapping[str, Any], group: str | None = None) -> None:
    """Check options of a command.

    Args:
        values: Name -> value; of several values, each is checked, and what is no number is not.
        group: The group that they are options of, as in `--data.batch_size`. Default: none, as in `--batch-clips`.

    Raises:
        ValueError: A number is too large.
    """
    for name in values.keys() & LARGEST.keys():
        flag = f"--{name.replace('_', '-')}" if group is None else f"--{group}.{name}"
        value = values[name]
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, str) and number.isdecimal():  # Lightning takes a number of devices as text, too
                number = float(number)
            if isinstance(number, int | float):
                require_at_most(flag, number, LARGEST[name])
