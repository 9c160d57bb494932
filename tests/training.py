"""Options that make a training small enough for a test; shared by the tests that run one."""

from __future__ import annotations

from pathlib import Path

SMALL = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.log_every_n_steps=1",
    "--data.num_workers=0",
    "--data.time_limit=0",  # a decoder process for each run takes as long as all of its decoding
    "--data.flip=0",
    "--data.num_clips=3",
]
TINY = [
    "--model.arch=i3d_tiny",
    "--model.arch_options={width: 8}",
    "--model.clip_length=4",
    "--model.interval=2",
    "--model.crop_size=32",
    "--model.short_side=32",
    "--data.train_short_sides=[32,36]",
]


def fit_arguments(motion: Path, out: Path, *more: str) -> list[str]:
    """Arguments of a `videogn fit` of one epoch of two batches into `out`."""
    return [
        "fit",
        *SMALL,
        *TINY,
        *_folders(motion, out),
        "--trainer.max_epochs=1",
        "--trainer.limit_train_batches=2",
        *more,
    ]


def evaluation_arguments(command: str, motion: Path, out: Path, checkpoint: Path, *more: str) -> list[str]:
    """Arguments of a `videogn test` or `validate` that relies on the checkpoint for everything about the network."""
    own = ["--no-report"] if command == "test" else []  # the page has tests of its own
    return [command, *SMALL, *_folders(motion, out), *own, f"--ckpt_path={checkpoint}", *more]


def _folders(motion: Path, out: Path) -> list[str]:
    return [
        f"--data.root={motion}",
        f"--trainer.default_root_dir={out}",
        "--trainer.logger.class_path=lightning.pytorch.loggers.CSVLogger",
        f"--trainer.logger.init_args.save_dir={out}",
        "--trainer.logger.init_args.name=",
        "--trainer.logger.init_args.version=",
    ]
