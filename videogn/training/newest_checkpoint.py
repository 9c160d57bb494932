"""The checkpoints of the newest run in a folder of training runs: `--ckpt_path last` and `best`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from videogn.models.weight_sources import read_checkpoint
from videogn.training.callbacks.checkpoints import RunCheckpoint, best_of

#: Where runs keep their checkpoints, below the folder of all: loggers have folders of their own, some of projects too.
_PLACES = ("checkpoints", "*/checkpoints", "*/*/checkpoints")


def find_checkpoint(which: str, root: Path, command: str) -> Path | None:
    """Find the checkpoint that `--ckpt_path last` or `--ckpt_path best` means.

    Args:
        which: last or best.
        root: Folder of training runs, see `newest_checkpoint`.
        command: What is to be done with it: fit, validate or test.

    Returns:
        Its path, or None where a fit is to go on from the last one and none has begun.

    Raises:
        ValueError: There is none to test, or a fit is to go on from the best one.
    """
    if which == "best" and command == "fit":
        raise ValueError(
            "--ckpt_path best is for test and validate; a training run goes on from `last`, or from a file that is "
            "named, and trains all that came after it again"
        )
    last = newest_checkpoint(root)
    if last is None and command != "fit":
        raise ValueError(f"no checkpoints/last.ckpt in {root}: nothing to {command}")
    if last is None or which == "last":
        return last
    best = best_checkpoint(last)
    if best is None:
        raise ValueError(
            f"no best checkpoint in {last.parent}, whose run had no validation with the value of --checkpoint.monitor; "
            f"--ckpt_path last {command}s the last one"
        )
    return best


def newest_checkpoint(root: Path) -> Path | None:
    """Find the newest checkpoint that was trained, of runs in folders of their own or in this one.

    Earlier versions wrote a checkpoint also where the start of a resumed run was refused: the weights of the checkpoint
    it should have resumed, with the clips per step of the refused command. Such a one is passed over.

    Args:
        root: Folder whose `checkpoints`, or folders with `checkpoints` in them, two deep, are searched.

    Returns:
        Path of a `last.ckpt` (or `last-v1.ckpt`, of a second run in the same folder), or None if there is none.
    """
    files = [path for folder in _PLACES for path in root.glob(f"{folder}/last*.ckpt")]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    while len(found) > 1 and _refused(found[-1], found[-2]):
        found.pop()
    return found[-1] if found else None


def best_checkpoint(last: Path) -> Path | None:
    """Find the best checkpoint of a run, beside its last one.

    Args:
        last: The last checkpoint.

    Returns:
        Path of the best, by the value that was monitored, or None if that run has kept none.
    """
    states = read_checkpoint(last).get("callbacks", {})
    found = [best_of(state) for key, state in states.items() if key.startswith(RunCheckpoint.__name__)]
    beside = [last.with_name(path.name) for path in found if path is not None]  # the folder may have moved
    return next((path for path in beside if path.is_file()), None)


def _refused(newest: Path, before: Path) -> bool:
    """Whether the newest checkpoint has the weights of the one before it, but notes other batches."""
    try:
        one, other = read_checkpoint(newest), read_checkpoint(before)
        same_place = one["global_step"] == other["global_step"] and one["training"] != other["training"]
        return same_place and _equal(one["state_dict"], other["state_dict"])
    except (ValueError, KeyError, TypeError):  # not of `fit`, or damaged, which whoever resumes it will be told
        return False


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
