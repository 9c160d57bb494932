"""The checkpoints of the newest run in a folder of training runs: `--ckpt_path last` and `best`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from videogn.checks import existing_path
from videogn.models.checkpoint_file import check_whole
from videogn.models.weight_sources import read_checkpoint
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.kept_checkpoints import best_of

_log = logging.getLogger(__name__)

#: Where runs keep their checkpoints, below the folder of all: loggers have folders of their own, some of projects too.
_PLACES = ("checkpoints", "*/checkpoints", "*/*/checkpoints")
#: A run of its own begins by writing its configuration.
_CONFIGS = ("config.yaml", "*/config.yaml", "*/*/config.yaml")


def find_checkpoint(which: str, root: Path, command: str) -> Path | None:
    """Find the checkpoint that `--ckpt_path last` or `--ckpt_path best` means, and say which it is.

    Args:
        which: last or best.
        root: Folder of training runs, see `checkpoints_of_runs`.
        command: What is to be done with it: fit, validate or test.

    Returns:
        Its path, or None where a fit is to go on from the last one and there is none: it starts anew.

    Raises:
        ValueError: There is none to test, the last one is damaged and a test would be of another one, or a fit is to
            go on from the best one.
    """
    if which == "best" and command == "fit":
        raise ValueError(
            "--ckpt_path best is for test and validate; a training run goes on from `last`, or from a file that is "
            "named, and trains all that came after it again"
        )
    newest, damaged = newest_whole(root)
    if newest is None:
        if command == "fit":
            _log.warning("--ckpt_path last: %s; training starts anew", _why_none(root, damaged))
            return None
        raise ValueError(f"{_why_none(root, damaged)}: nothing to {command}")
    if which == "best":
        newest = _best_beside(newest, command)
    elif damaged and command != "fit":
        raise ValueError(f"{damaged[0]}; --ckpt_path {newest} {command}s the newest whole one")
    for reason in damaged if which == "last" else ():
        _log.warning("%s", reason)
    if (later := _later_run(root, newest)) is not None:
        _log.warning("the training run in %s began later and has left no checkpoint", later)
    before = "the newest whole one" if damaged or later else f"{which} of the newest training run"
    _log.info("--ckpt_path %s: %s (%s), %s in %s", which, newest, _how_far(newest), before, root)
    return newest


def checkpoints_of_runs(root: Path) -> Iterator[Path]:
    """Find the checkpoints of training runs in folders of their own or in this one, whole or not.

    Earlier versions wrote a checkpoint also where the start of a resumed run was refused: the weights of the checkpoint
    it should have resumed, with the clips per step of the refused command. Such a one is passed over.

    Args:
        root: Folder whose `checkpoints`, or folders with `checkpoints` in them, two deep, are searched.

    Yields:
        Paths, those of the newest run first; of each run `last.ckpt` (or `last-v1.ckpt`, of a second run in the same
        folder), then the others, the newest first.
    """
    written = {path: path.stat().st_mtime for place in _PLACES for path in root.glob(f"{place}/[!.]*.ckpt")}
    lasts = sorted((path for path in written if _is_last(path)), key=written.__getitem__)
    while len(lasts) > 1 and _refused(lasts[-1], lasts[-2]):
        del written[lasts.pop()]
    runs: dict[Path, list[Path]] = {}
    for path in sorted(written, key=lambda path: (_is_last(path), written[path]), reverse=True):
        runs.setdefault(path.parent, []).append(path)
    for of_run in sorted(runs.values(), key=lambda of_run: written[of_run[0]], reverse=True):
        yield from of_run


def newest_whole(root: Path) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint that is whole.

    Args:
        root: Folder of training runs, see `checkpoints_of_runs`.

    Returns:
        Its path, None if there is none, and what is wrong with those that come before it.
    """
    damaged = []
    for path in checkpoints_of_runs(root):
        try:
            check_whole(path)
        except (OSError, ValueError) as error:
            damaged.append(str(error))
        else:
            return path, damaged
    return None, damaged


def _later_run(root: Path, checkpoint: Path) -> Path | None:
    """Folder of a training run that has begun, and so written its configuration, after a checkpoint was written."""
    begun = {file.parent: file.stat().st_mtime for place in _CONFIGS for file in root.glob(place)}
    latest = max(begun, key=begun.__getitem__, default=None)
    return latest if latest is not None and begun[latest] > checkpoint.stat().st_mtime else None


def _how_far(path: Path) -> str:
    """Place of a checkpoint in its training run, counted as Lightning's names of files count."""
    content = read_checkpoint(path)
    found = content if isinstance(content, dict) else {}
    return f"epoch={found.get('epoch')}, step={found.get('global_step')}"


def _why_none(root: Path, damaged: list[str]) -> str:
    if damaged:
        return f"no whole checkpoint in {root} ({damaged[0]})"
    try:
        return f"no checkpoints in {existing_path(root)}"
    except FileNotFoundError as error:
        return str(error)


def _best_beside(last: Path, command: str) -> Path:
    """The best checkpoint of a run, by the value that was monitored."""
    content = read_checkpoint(last)
    states = content.get("callbacks") if isinstance(content, dict) else None
    states = states if isinstance(states, dict) else {}
    found = [best_of(state) for key, state in states.items() if str(key).startswith(RunCheckpoint.__name__)]
    beside = (last.with_name(name) for name in found if name is not None)  # the folder may have moved
    best = next((path for path in beside if path.is_file()), None)
    if best is None:
        raise ValueError(
            f"no best checkpoint in {last.parent}, whose run had no validation with the value of --checkpoint.monitor; "
            f"--ckpt_path last {command}s the last one"
        )
    return best


def _is_last(path: Path) -> bool:
    return path.name.startswith("last")


def _refused(newest: Path, before: Path) -> bool:
    """Whether the newest checkpoint has the weights of the one before it, but notes other batches."""
    try:
        one, other = read_checkpoint(newest), read_checkpoint(before)
        same_place = one["global_step"] == other["global_step"] and one["training"] != other["training"]
        return bool(same_place) and _equal(one["state_dict"], other["state_dict"])
    except (OSError, ValueError, KeyError, TypeError):  # not of `fit`, or damaged, which is seen later
        return False


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
