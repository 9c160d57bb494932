"""The newest checkpoint of a folder of training runs: `--ckpt_path last`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from videogn.models.weight_sources import read_checkpoint


def newest_checkpoint(root: Path) -> Path | None:
    """Find the newest checkpoint that was trained, of runs in folders of their own or in this one.

    Earlier versions wrote a checkpoint also where the start of a resumed run was refused: the weights of the checkpoint
    it should have resumed, with the clips per step of the refused command. Such a one is passed over.

    Args:
        root: Folder whose `checkpoints`, or folders with `checkpoints` in them, are searched.

    Returns:
        Path of a `last.ckpt` (or `last-v1.ckpt`, of a second run in the same folder), or None if there is none.
    """
    files = [path for folder in ("*/checkpoints", "checkpoints") for path in root.glob(f"{folder}/last*.ckpt")]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    while len(found) > 1 and _refused(found[-1], found[-2]):
        found.pop()
    return found[-1] if found else None


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
