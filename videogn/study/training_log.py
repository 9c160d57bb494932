"""The log of a cell's training: the curve of its validations, and how a resumed training run finds it."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

from videogn.checks import reading
from videogn.study.cell import Cell
from videogn.system.files import write_text

CURVE_FILE = "curve.csv"
LAST_CHECKPOINT = Path("checkpoints") / "last.ckpt"


@dataclass(frozen=True)
class CurvePoint:
    """One validation.

    Attributes:
        epoch: Finished epochs.
        step: Optimiser steps so far.
        frames: Frames of clips trained on so far, over all devices.
        val_error: Error with one clip a video, in [0, 1].
        train_loss: Mean of the losses logged since the previous validation, or None.
    """

    epoch: int
    step: int
    frames: int
    val_error: float
    train_loss: float | None = None


def resume_arguments(folder: Path) -> list[str]:
    """Prepare a cell's folder for the next `videogn fit`: the log so far is put aside, or removed with nothing kept.

    Args:
        folder: Folder of the cell.

    Returns:
        Arguments that resume from the last checkpoint; empty where there is none.
    """
    if not (folder / LAST_CHECKPOINT).is_file():
        for log in folder.glob("metrics*.csv"):
            log.unlink()  # nothing of it was kept
        return []
    if (folder / "metrics.csv").exists():
        # The logger of the resumed run begins its file anew.
        number = len(list(folder.glob("metrics.*.csv")))
        (folder / "metrics.csv").rename(folder / f"metrics.{number:03d}.csv")
    return [f"--ckpt_path={folder / LAST_CHECKPOINT}"]


def read_curve(folder: Path, cell: Cell) -> tuple[CurvePoint, ...]:
    """Read the validations so far, also those that an interrupted run left in files of their own.

    Args:
        folder: Folder of the cell.
        cell: The cell, for the frames of a step.

    Returns:
        The validations in order.
    """
    found: dict[int, tuple[int, float]] = {}
    losses: dict[int, float] = {}
    frames: dict[int, int] = {}  # logged by multigrid training, whose steps differ
    for path in [*sorted(folder.glob("metrics.*.csv")), *folder.glob("metrics.csv")]:
        with reading(path), path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if row.get("val/top1"):
                    found[int(row["epoch"])] = (int(row["step"]) + 1, 1 - float(row["val/top1"]))
                if row.get("train/frames"):
                    frames[int(row["epoch"])] = round(float(row["train/frames"]))
                if row.get("train/loss_step"):
                    losses[int(row["step"])] = float(row["train/loss_step"])
    points = []
    before = 0
    for epoch, (step, error) in sorted(found.items()):
        since = [loss for at, loss in losses.items() if before <= at < step]
        loss = sum(since) / len(since) if since else None
        seen = frames.get(epoch, step * cell.clips_per_step * cell.clip_length)
        points.append(CurvePoint(epoch + 1, step, seen, round(error, 6), loss))
        before = step
    return tuple(points)


def write_curve(folder: Path, curve: tuple[CurvePoint, ...]) -> None:
    """Write the validations as a table for people and spreadsheets."""
    lines = ["epoch,step,frames,val_error,train_loss"]
    lines += [",".join("" if value is None else str(value) for value in asdict(point).values()) for point in curve]
    write_text(folder / CURVE_FILE, "\n".join(lines) + "\n")


def part_done(folder: Path, cell: Cell, steps: int | None) -> float:
    """Part of the training that has been validated.

    Args:
        folder: Folder of the cell.
        cell: The cell.
        steps: Optimiser steps of the whole training, or None.

    Returns:
        In [0, 1]; 0 where it is not known.
    """
    curve = read_curve(folder, cell)
    if not curve:
        return 0.0
    if cell.budget.kind == "epochs":
        return min(curve[-1].epoch / cell.budget.amount, 1.0)
    return min(curve[-1].step / steps, 1.0) if steps else 0.0
