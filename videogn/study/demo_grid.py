"""The demo: six cells of a small Table 8 on the motion data set, in minutes on two cores."""

from __future__ import annotations

from typing import Any

from videogn.study.grid import Grid, make_grid

_EPOCHS = 12
_QUICK_EPOCHS = 2
#: Settings of configs/motion.yaml, which a test compares: the demo also works where that file is not installed.
_FIT: dict[str, Any] = {
    "trainer": {"accelerator": "cpu", "log_every_n_steps": 20, "num_sanity_val_steps": 0, "check_val_every_n_epoch": 4},
    "model": {
        "arch": "i3d_tiny",
        "crop_size": 32,
        "short_side": 40,
        "crops": "center",
        "lr": 0.025,
        "base_batch": 8,
        "schedule": "cosine",
        "warmup": 0.15,
    },
    "data": {
        "eval_batch_size": 16,
        "num_workers": 0,
        "cache": "1GiB",
        "val_view": "augmented",
        "train_short_sides": [40, 40],
        "flip": 0.0,
    },
}


def demo_grid(quick: bool) -> Grid:
    """BN and GN at 8 x 2 with batch 8, 8 x 2 with batch 2 and 16 x 1 with batch 2: Table 8's three rows, made small.

    Every cell takes an optimiser step after 8 clips, so that only the clip and the norm's batch differ.

    Args:
        quick: a smoke run of few videos and epochs, which learns little.

    Returns:
        The grid.
    """
    return make_grid(
        {
            "title": "A small Table 8: the motion data set",
            "fit": _FIT,
            "motion": {"videos_per_class": 8 if quick else 120, "val_videos_per_class": 2 if quick else 40},
            "axes": {"norm": ["bn", "gn"], "setting": ["8x2@8", "8x2@2", "16x1@2"]},
            "budget": {"epochs": _QUICK_EPOCHS if quick else _EPOCHS, "step_clips": 8},
        }
    )
