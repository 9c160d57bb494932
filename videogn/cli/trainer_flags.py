"""Flags of Lightning's Trainer: those that decide what else is made, and values that are refused in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec

from jsonargparse import Namespace

from videogn.checks import require_positive
from videogn.system.destination import check_folder
from videogn.video.storage import is_url

_NOT_DETERMINISTIC = re.compile(r"(?P<operation>\S+) does not have a deterministic implementation")
_NOT_MADE = re.compile(r"Problem with given class_path '(?P<name>[^']+)':\s+(?P<reason>[^\n]+)")
_TOO_LONG = "Exceeds the limit (4300 digits)"
_MANY_DIGITS = re.compile(r"(?P<option>--[\w.]+)[=\0][^\0]*\d{4301}")
_NO_DEVICES = re.compile(r"`devices` selected with `(?P<kind>\w+)Accelerator`")
_NO_BAREBONES = "barebones measures the Trainer's own speed and reports nothing, not even a result: leave it out"
_NO_XLA = "profiler xla is one of TPUs: take simple, advanced or pytorch"
#: Logger -> packages, each of which it can work with; the first is the name of videogn's extra, too.
_LOGGERS = {
    "TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "WandbLogger": ("wandb",),
    "MLFlowLogger": ("mlflow",),
}
_NO_ENGINE = (
    "precision {} replaces linear layers, of which a video network has one: take bf16-mixed, or 16-mixed where the GPU "
    "has no bf16"
)


def check_flags(trainer: Namespace, command: str) -> None:
    """Refuse values that would end in a traceback, or that do nothing that was asked for.

    Args:
        trainer: Flags as parsed.
        command: fit, validate or test.

    Raises:
        ValueError: A value is refused; the message says why, and what to take.
    """
    require_positive("accumulate_grad_batches", trainer.accumulate_grad_batches)
    for name in ("check_val_every_n_epoch", "val_check_interval"):
        value = trainer[name]
        if isinstance(value, int | float) and not value > 0:  # an interval may be a time, too
            raise ValueError(f"{name} must be > 0, got {value}; limit_val_batches 0 leaves out the validations")
    for name in ("max_time", "val_check_interval"):
        _check_time(name, trainer[name])
    if trainer.gradient_clip_val is not None and trainer.gradient_clip_val < 0:  # which would clip nothing
        raise ValueError(f"gradient_clip_val must be >= 0, got {trainer.gradient_clip_val}")
    if trainer.barebones and command != "fit":
        raise ValueError(_NO_BAREBONES)
    if trainer.profiler == "xla":
        raise ValueError(_NO_XLA)
    if str(trainer.precision).startswith("transformer-engine"):
        raise ValueError(_NO_ENGINE.format(trainer.precision))
    if trainer.limit_train_batches == 0 and command == "fit":
        raise ValueError("limit_train_batches must be > 0, got 0; `videogn validate` validates without training")


def _check_time(name: str, value: object) -> None:
    """Refuse a time as a mapping that is none; Lightning says what text is none."""
    if isinstance(value, dict):
        try:
            timedelta(**value)
        except (TypeError, OverflowError) as error:
            raise ValueError(
                f"{name} must be a time such as 00:08:00:00 (days, hours, minutes, seconds) or {{hours: 8}}, "
                f"got {value}"
            ) from error


def check_folders(config: Namespace, command: str) -> None:
    """Refuse folders in which nothing can be written, before the hours that would be lost with them.

    Args:
        config: Options as parsed.
        command: fit, validate or test.

    Raises:
        OSError: A folder is a file, or cannot be written.
    """
    folders = [] if command == "validate" else [config.trainer.default_root_dir]
    folders += [config.model.results_dir] if command == "test" else []
    for folder in folders:
        if folder is not None and not is_url(str(folder)):
            check_folder(folder)


def complete_flags(trainer: Namespace) -> None:
    """Write metrics.csv into runs/version_0 and so on, unless another logger is asked for or barebones, without any.

    Args:
        trainer: Flags as parsed, which are changed.
    """
    if trainer.barebones and trainer.logger is None:
        trainer.logger = False
    if trainer.logger is None or trainer.logger is True:  # Lightning would take whichever is installed
        trainer.logger = Namespace(
            class_path="videogn.training.metrics_log.MetricsLog",
            init_args=Namespace(save_dir=trainer.default_root_dir, name="", version=None, prefix=""),
        )


def _missing(class_path: str) -> str | None:
    """Package of a logger where none that it can work with is installed."""
    packages = _LOGGERS.get(class_path.rpartition(".")[2], ())
    return packages[0] if packages and not any(map(find_spec, packages)) else None


@contextmanager
def one_reason() -> Iterator[None]:
    """Say in one line what stands in pages of others: an operation that is not deterministic, a logger not installed.

    Raises:
        ValueError: In place of a RuntimeError, TypeError or ValueError about one of these.
    """
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        if found := _NO_DEVICES.match(str(error)):
            raise ValueError(f"trainer.devices must be a number of devices > 0 with {found['kind']}") from error
        if _TOO_LONG in str(error):
            found = _MANY_DIGITS.search("\0".join(sys.argv))
            where = found["option"] if found else "a configuration"
            raise ValueError(f"{where} has a number of more than 4,300 digits, which is not read") from error
        if found := _NOT_DETERMINISTIC.match(str(error)):
            raise ValueError(
                f"--trainer.deterministic true: torch has no deterministic {found['operation']} on this device; "
                "--trainer.deterministic warn uses what there is"
            ) from error
        if (found := _NOT_MADE.search(str(error))) and (package := _missing(found["name"])):
            raise ModuleNotFoundError(
                f"{found['name']} needs {package}: pip install 'videogn[{package}]'", name=package
            ) from error
        if found:
            raise ValueError(f"{found['name']} cannot be made: {found['reason']}") from error
        raise
