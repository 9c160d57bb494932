"""The demo: six cells of a small Table 8 on the motion data set, in minutes on two cores."""

from __future__ import annotations

from pathlib import Path

from videogn.study.cells import Cell, Recipe, grid

_EPOCHS = 20
_QUICK_EPOCHS = 2
#: Settings of configs/motion.yaml, which a test compares: the demo also works where that file is not installed.
_ARGUMENTS = (
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=20",
    "--trainer.num_sanity_val_steps=0",
    "--model.arch=i3d_tiny",
    "--model.crop_size=32",
    "--model.short_side=36",
    "--model.crops=center",
    "--model.lr=0.025",
    "--model.base_batch=8",
    "--model.schedule=cosine",
    "--model.warmup=0.15",
    "--data.eval_batch_size=16",
    "--data.num_workers=0",
    "--data.cache=1GiB",
    "--data.val_view=augmented",
    "--data.train_short_sides=[34,40]",
    "--data.flip=0.0",
)


def demo_cells() -> list[Cell]:
    """BN and GN at 8 x 2 with batch 8, 8 x 2 with batch 2 and 16 x 1 with batch 2: Table 8's three rows, made small."""
    return grid(("bn", "gn"), ((8, 2, 8), (8, 2, 2), (16, 1, 2)), (0,))


def demo_recipe(root: Path, quick: bool) -> Recipe:
    """How each cell is trained; every one takes an optimiser step after 8 clips, so that only the norm's batch differs.

    Args:
        root: the motion data set.
        quick: a smoke run of few epochs, which learns little.

    Returns:
        The recipe.
    """
    epochs = _QUICK_EPOCHS if quick else _EPOCHS
    arguments = (f"--trainer.max_epochs={epochs}", f"--data.root={root}", *_ARGUMENTS)
    return Recipe(arguments=arguments, step_clips=8)


def demo_videos_per_class(quick: bool) -> tuple[int, int]:
    """Training and validation videos of each class."""
    return (8, 2) if quick else (60, 25)
