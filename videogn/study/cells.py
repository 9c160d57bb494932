"""What a cell of a study is, the commands that compute it, and its result file."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from videogn.files import write_json, write_text
from videogn.names import existing_path

_SETTING = re.compile(r"(?P<length>\d+)x(?P<interval>\d+)@(?P<batch>\d+)")
#: A cell with this file is finished.
RESULT_FILE = "cell.json"
#: A cell with this file is trained, but perhaps not tested.
TRAINED_FILE = "trained"
#: The fingerprint of the recipe that a cell was begun with.
_RECIPE_FILE = "recipe.txt"


@dataclass(frozen=True)
class Cell:
    """One training and test.

    Attributes:
        norm: name of the norm.
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        batch_size: clips per normalisation batch (per device).
        seed: of everything random.
    """

    norm: str
    clip_length: int
    interval: int
    batch_size: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the cell's folder, for instance gn_32x2_batch8_seed0."""
        return f"{self.norm}_{self.clip_length}x{self.interval}_batch{self.batch_size}_seed{self.seed}"


@dataclass(frozen=True)
class Recipe:
    """What all cells have in common.

    Attributes:
        configs: configuration files of `videogn fit`, later ones win.
        arguments: further arguments of `videogn fit`, after the files.
        step_clips: clips an optimiser step on each device, held by adding gradients of smaller batches up as 8 GPUs
            would; None leaves it to the configuration.
        init_from: (norm, source of initial weights), for the norms that have one of their own.
    """

    configs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    step_clips: int | None = None
    init_from: tuple[tuple[str, str], ...] = ()

    def accumulate(self, cell: Cell) -> int:
        """Batches whose gradients are added up before a step.

        Raises:
            ValueError: `step_clips` is not a multiple of the cell's batch.
        """
        if self.step_clips is None:
            return 1
        if self.step_clips % cell.batch_size:
            raise ValueError(
                f"step_clips must be a multiple of every batch size, got {self.step_clips} and batch {cell.batch_size}"
            )
        return self.step_clips // cell.batch_size

    def fit_command(self, cell: Cell, folder: Path) -> list[str]:
        """The `videogn fit` that trains a cell, as a user would type it."""
        return [
            *_videogn("fit"),
            *(f"--config={config}" for config in self.configs),
            f"--seed_everything={cell.seed}",
            *self.arguments,
            *(f"--model.init_from={source}" for norm, source in self.init_from if norm == cell.norm),
            f"--model.norm={cell.norm}",
            f"--model.clip_length={cell.clip_length}",
            f"--model.interval={cell.interval}",
            f"--data.batch_size={cell.batch_size}",
            *([f"--trainer.accumulate_grad_batches={self.accumulate(cell)}"] if self.step_clips else []),
            f"--trainer.default_root_dir={folder}",
            "--trainer.logger=lightning.pytorch.loggers.CSVLogger",
            f"--trainer.logger.save_dir={folder}",
            "--trainer.logger.name=",
            "--trainer.logger.version=",
            "--trainer.enable_progress_bar=false",
        ]

    def fingerprint(self) -> str:
        """Hash of the configuration files' contents and of the arguments: a result is only good for its recipe."""
        parts = [existing_path(config).read_text(encoding="utf-8") for config in self.configs]
        text = json.dumps([parts, list(self.arguments), self.step_clips, self.init_from])
        return hashlib.sha256(text.encode()).hexdigest()


def evaluation_command(folder: Path) -> list[str]:
    """The `videogn test` of a trained cell: the training's own configuration, and its last checkpoint."""
    return [
        *_videogn("test"),
        f"--config={folder / 'config.yaml'}",
        f"--ckpt_path={folder / 'checkpoints' / 'last.ckpt'}",
        f"--model.results_dir={folder}",
        "--trainer.logger=false",
    ]


@dataclass(frozen=True)
class CellResult:
    """A finished cell.

    Attributes:
        cell: which one.
        recipe: fingerprint of the recipe it was run with.
        val_error: validation error of one clip after each epoch, in [0, 1].
        test: what `videogn test` wrote to results.json.
        seconds: training and test together, wall clock.
        commands: the two commands.
    """

    cell: Cell
    recipe: str
    val_error: tuple[float, ...]
    test: dict[str, Any]
    seconds: float
    commands: tuple[tuple[str, ...], ...]

    def write(self, folder: Path) -> None:
        """Write the result file, which makes the cell finished."""
        write_json(folder / RESULT_FILE, asdict(self))

    @staticmethod
    def read(folder: Path) -> CellResult | None:
        """The result in a cell's folder, or None where it is not finished."""
        path = folder / RESULT_FILE
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        commands = tuple(tuple(command) for command in content.pop("commands"))
        val_error = tuple(content.pop("val_error"))
        return CellResult(**{**content, "cell": Cell(**content["cell"]), "commands": commands, "val_error": val_error})


def read_results(out: str | Path) -> list[CellResult]:
    """All finished cells below a study's folder, short clips first, large batches first, norms by name.

    Args:
        out: the study's folder.

    Returns:
        The results.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: nothing is finished in it.
    """
    found = [CellResult.read(path.parent) for path in existing_path(out).glob(f"*/{RESULT_FILE}")]
    results = [result for result in found if result is not None]
    if not results:
        raise ValueError(f"no finished cell in {out} (looked for */{RESULT_FILE})")
    # As a table lists them: short clips first, large batches first.
    return sorted(
        results, key=lambda r: (r.cell.clip_length, r.cell.interval, -r.cell.batch_size, r.cell.norm, r.cell.seed)
    )


def prepare(folder: Path, recipe: str) -> list[str]:
    """Make a cell's folder ready for its training: empty, unless what is in it can be gone on with.

    Args:
        folder: of the cell.
        recipe: fingerprint of the recipe.

    Returns:
        Further arguments of `videogn fit`: none, or the checkpoint to go on from.
    """
    begun = folder / _RECIPE_FILE
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if not (begun.is_file() and begun.read_text(encoding="utf-8") == recipe and checkpoint.is_file()):
        shutil.rmtree(folder, ignore_errors=True)
        write_text(begun, recipe)
        return []
    if (folder / "metrics.csv").exists() and not (folder / TRAINED_FILE).exists():
        # The logger of the training that goes on begins its file anew.
        number = len(list(folder.glob("metrics.*.csv")))
        (folder / "metrics.csv").rename(folder / f"metrics.{number:03d}.csv")
    return [f"--ckpt_path={checkpoint}"]


def validation_errors(folder: Path) -> tuple[float, ...]:
    """Validation error after each epoch so far; an interrupted training left its beginning in another file."""
    errors: dict[int, float] = {}
    for path in [*sorted(folder.glob("metrics.*.csv")), *folder.glob("metrics.csv")]:
        with path.open(encoding="utf-8", newline="") as lines:
            errors |= {
                int(row["epoch"]): 1 - float(row["val/top1"]) for row in csv.DictReader(lines) if row.get("val/top1")
            }
    return tuple(errors[epoch] for epoch in sorted(errors))


def planned_epochs(folder: Path) -> int | None:
    """Epochs of a cell's training, from the configuration that it saved; None before that, or when steps count."""
    path = folder / "config.yaml"
    if not path.is_file():
        return None
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    epochs = (config.get("trainer") or {}).get("max_epochs")
    return epochs if isinstance(epochs, int) and epochs > 0 else None


def parse_setting(text: str) -> tuple[int, int, int]:
    """Read "32x2@8": clips of 32 frames at interval 2, 8 clips a batch.

    Args:
        text: LENGTHxINTERVAL@BATCH.

    Returns:
        (clip length, interval, batch size).

    Raises:
        ValueError: anything else, or a zero.
    """
    match = _SETTING.fullmatch(text)
    if match is None or 0 in (numbers := tuple(map(int, match.groups()))):
        raise ValueError(f"a setting is LENGTHxINTERVAL@BATCH, for instance 32x2@8, got {text!r}")
    return numbers[0], numbers[1], numbers[2]


def grid(norms: Sequence[str], settings: Sequence[tuple[int, int, int]], seeds: Sequence[int]) -> list[Cell]:
    """Every norm x setting x seed, without repetition.

    Args:
        norms: names.
        settings: (clip length, interval, batch size).
        seeds: one training for each.

    Returns:
        The cells.
    """
    cells = [Cell(norm, *setting, seed) for seed in seeds for setting in settings for norm in norms]
    return list(dict.fromkeys(cells))


def _videogn(command: str) -> list[str]:
    return [sys.executable, "-m", "videogn", command]
