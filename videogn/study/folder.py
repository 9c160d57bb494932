"""The folder of a cell: what is prepared in it, what the trainings leave in it, how far it is."""

from __future__ import annotations

import csv
import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from videogn.study.cell import Cell, fingerprint
from videogn.study.results import RESULT_FILE, STATE_FILE, CellResult, CurvePoint
from videogn.system.files import write_json, write_text

_log = logging.getLogger(__name__)

#: Configuration that `videogn fit` is given; config.yaml is the whole one, that it saves.
FIT_FILE = "fit.yaml"
#: Which cell it is, where its data are, what was planned for it.
CELL_FILE = "cell.json"
LOG_FILE = "log.txt"
CURVE_FILE = "curve.csv"
#: A cell with this file is trained, but perhaps not tested.
TRAINED_FILE = "trained"
LAST_CHECKPOINT = Path("checkpoints") / "last.ckpt"
_LOCK_FILE = ".lock"
#: Seconds that whoever was told to end may take.
_LOCK_PATIENCE = 5.0


def check_settings(folder: Path, identity: str) -> bool:
    """Whether a cell's folder holds what was run, or is running, with these settings, or nothing yet.

    Args:
        folder: of the cell; it need not exist.
        identity: fingerprint of its configuration.

    Returns:
        False where something was begun with other settings.

    Raises:
        ValueError: something was finished with other settings.
    """
    if _read(folder / CELL_FILE).get("fingerprint") in (None, identity):
        return True
    if (folder / RESULT_FILE).is_file():
        raise ValueError(
            f"{folder} was run with other settings: name another folder for this study, or remove that one"
        )
    return False


def prepare(
    folder: Path,
    cell: Cell,
    fit_config: Mapping[str, Any],
    *,
    motion: Mapping[str, Any] | None,
    data_root: Path | None,
    planned: Mapping[str, Any],
) -> None:
    """Write what a cell is into its folder, unless it is finished; what was begun with other settings is put aside.

    Args:
        folder: of the cell; made if it does not exist.
        cell: which one.
        fit_config: of `Cell.fit_config`.
        motion: parameters of the motion data set that the study makes for itself, or None.
        data_root: where that is.
        planned: what `videogn plan` says of it.

    Raises:
        ValueError: it is finished, with another configuration.
        BlockingIOError: another process runs it, with another configuration.
    """
    identity = fingerprint(fit_config, motion)
    if not check_settings(folder, identity):
        with locked(folder):
            aside = folder.with_name(f"{folder.name}.old-{secrets.token_hex(3)}")
            folder.rename(aside)
        _log.warning("%s was begun with other settings: put aside as %s", folder.name, aside)
    elif (folder / RESULT_FILE).is_file():
        return
    write_text(folder / FIT_FILE, yaml.safe_dump(dict(fit_config), sort_keys=False))
    write_json(
        folder / CELL_FILE,
        {
            "cell": asdict(cell),
            "fingerprint": identity,
            "data_root": None if data_root is None else str(data_root),
            "planned": dict(planned),
        },
    )


def read_cell(folder: Path) -> tuple[Cell, dict[str, Any]]:
    """The cell of a folder, and what else was prepared: fingerprint, data_root, planned.

    Raises:
        ValueError: it is not the folder of a cell.
    """
    content = _read(folder / CELL_FILE)
    if not content:
        raise ValueError(f"{folder} is not the folder of a cell: it has no {CELL_FILE}")
    return Cell.read(content["cell"]), content


def read_state(folder: Path) -> dict[str, Any]:
    """phase (waiting, training, testing, finished, failed or stopped), attempts, reason."""
    return {"phase": "waiting", "attempts": 0, "reason": None, **_read(folder / STATE_FILE)}


def is_running(folder: Path) -> bool:
    """Whether a process runs the cell now; one that was killed has left its phase behind."""
    lock = FileLock(folder / _LOCK_FILE)
    if not folder.is_dir():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def write_state(folder: Path, **changes: Any) -> None:
    """Change some of it."""
    write_json(folder / STATE_FILE, {**read_state(folder), **changes})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who runs the cell, on this machine or on others that share the folder.

    Raises:
        BlockingIOError: another process runs it.
    """
    lock = FileLock(folder / _LOCK_FILE, timeout=_LOCK_PATIENCE)
    try:
        lock.acquire()
    except Timeout as error:
        raise BlockingIOError(f"another process is running {folder}") from error
    try:
        yield
    finally:
        lock.release()


def resume_arguments(folder: Path) -> list[str]:
    """Further arguments of the `videogn fit` that goes on: none, or the checkpoint; old logs are put aside."""
    if not (folder / LAST_CHECKPOINT).is_file():
        for log in folder.glob("metrics*.csv"):
            log.unlink()  # nothing of it was kept
        return []
    if (folder / "metrics.csv").exists():
        # The logger of the training that goes on begins its file anew.
        number = len(list(folder.glob("metrics.*.csv")))
        (folder / "metrics.csv").rename(folder / f"metrics.{number:03d}.csv")
    return [f"--ckpt_path={folder / LAST_CHECKPOINT}"]


def read_curve(folder: Path, cell: Cell) -> tuple[CurvePoint, ...]:
    """What the validations found so far; an interrupted training left its beginning in another file."""
    found: dict[int, tuple[int, float]] = {}
    losses: dict[int, float] = {}
    for path in [*sorted(folder.glob("metrics.*.csv")), *folder.glob("metrics.csv")]:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if row.get("val/top1"):
                    found[int(row["epoch"])] = (int(row["step"]) + 1, 1 - float(row["val/top1"]))
                if row.get("train/loss_step"):
                    losses[int(row["step"])] = float(row["train/loss_step"])
    points = []
    before = 0
    for epoch, (step, error) in sorted(found.items()):
        since = [loss for at, loss in losses.items() if before <= at < step]
        loss = sum(since) / len(since) if since else None
        frames = step * cell.clips_per_step * cell.clip_length
        points.append(CurvePoint(epoch + 1, step, frames, round(error, 6), loss))
        before = step
    return tuple(points)


def write_curve(folder: Path, curve: tuple[CurvePoint, ...]) -> None:
    """Write it for people and spreadsheets."""
    lines = ["epoch,step,frames,val_error,train_loss"]
    lines += [",".join("" if value is None else str(value) for value in asdict(point).values()) for point in curve]
    write_text(folder / CURVE_FILE, "\n".join(lines) + "\n")


def write_result(result: CellResult) -> None:
    """Write the file that makes the cell finished."""
    content = asdict(result)
    del content["folder"]
    write_json(result.folder / RESULT_FILE, content)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
