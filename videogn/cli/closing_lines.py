"""The last lines of `fit`: what came out, where it is, and the command that tests it; and the curve that they name."""

from __future__ import annotations

import inspect
import json
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from videogn.choices import EvaluationViews
from videogn.data.datamodule import VideoDataModule
from videogn.system.displayable import one_line
from videogn.training.callbacks import RunHistory
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.history import History, Validation
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)
#: Name of the picture in the folder of the run.
CURVE_FILE = "curve.png"
#: Options of the data that a test needs as the training did: which videos they are, and how they are read.
_OF_TEST = (
    *("root", "val", "test", "val_fraction", "seed", "columns", "use_truncated", "decoder", "frame_rate"),
    *("num_workers", "time_limit", "max_failures", "num_clips", "protocol"),
)
#: Where the videos may be named.
_VIDEOS = ("root", "val", "test")
#: Letters of a line of a terminal.
_COLUMNS = 80


def closing_lines(trainer: Trainer, data: Mapping[str, Any], trust: Sequence[str] = ()) -> list[str]:
    """Say what has come out of a training run, and draw its curve. Every process has to ask.

    Args:
        trainer: Trainer whose fit has ended.
        data: Options of the data module that the user has given, name -> value.
        trust: Packages of --trust.

    Returns:
        The lines: accuracies, places, and a command; fewer where nothing was kept.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return ["nothing is kept of a fast_dev_run"]
    folder = _folder(trainer)
    history = history_of(trainer)
    curve = draw_curve(history, folder) if trainer.is_global_zero else None
    kept = _kept(trainer)
    best, last = (kept.best_model_path, kept.last_model_path) if kept else ("", "")
    by_value = kept is not None and kept.best_model_score is not None
    checkpoint = best if by_value else last or best
    kind = "best" if by_value else "last"
    places = [f"{kind} checkpoint: {checkpoint}"] if checkpoint else [f"no checkpoint was kept; files: {folder}"]
    places += [] if curve is None else [f"curve: {curve}"]
    lines = [_accuracies(history, kept), one_line("; ".join(places))]
    return [*lines, command_of_test(checkpoint, data, trust)] if checkpoint else lines


def interrupted_lines(trainer: Trainer) -> list[str]:
    """Say what a training run that was interrupted has come to, and draw its curve so far; others may be gone.

    Args:
        trainer: Trainer whose fit was interrupted.

    Returns:
        A line with the accuracies so far, if there are any.
    """
    if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
        return []
    history, kept = history_of(trainer), _kept(trainer)
    if (folder := _folder_above(kept)) is not None:
        draw_curve(history, folder)
    return [_accuracies(history, kept)] if history.accuracies else []


def how_to_go_on(trainer: Trainer) -> str:
    """Say how a training run that was interrupted goes on; nothing where it has written no checkpoint."""
    kept = _kept(trainer)
    if kept is None or not kept.last_model_path:
        return ""
    return f"the same command with --ckpt_path {shlex.quote(kept.last_model_path)} goes on"


def draw_curve(history: History, folder: str) -> Path | None:
    """Draw the curve of a run into its folder; that it fails is one line, and no reason to fail.

    Args:
        history: The run.
        folder: Its folder.

    Returns:
        The PNG file, or None where nothing was trained, or it could not be written.
    """
    if not history.stretches or is_url(folder):
        return None
    path = Path(folder) / CURVE_FILE
    try:
        from videogn.report.training_curve import plot_training  # matplotlib takes half a second

        return plot_training(history, path)
    except Exception as error:  # a full disk, fonts or a cache of matplotlib's that cannot be read
        _log.warning("%s is not drawn: %s", path, " ".join(str(error).split()) or type(error).__name__)
        return None


def history_of(trainer: Trainer) -> History:
    """Find what the run has come to so far."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((each.history for each in callbacks if isinstance(each, RunHistory)), History())


def command_of_test(checkpoint: str, data: Mapping[str, Any], trust: Sequence[str] = ()) -> str:
    r"""Write the command that tests a checkpoint on the data of its training, quoted for the shell.

    Args:
        checkpoint: The checkpoint.
        data: Options of the data module that the user has given, name -> value.
        trust: Packages of --trust.

    Returns:
        The command; where it is longer than 80 letters, in lines that the shell joins. Control characters in a name
        are shown as escapes.

    Example:
        >>> command_of_test("runs/version_0/checkpoints/best.ckpt", {"root": "my videos", "flip": 0})
        "videogn test --ckpt_path runs/version_0/checkpoints/best.ckpt \\\n    --data.root 'my videos'"
    """
    pieces = [f"videogn test --ckpt_path {shlex.quote(checkpoint)}", *_options(data)]
    pieces += [f"--trust {shlex.join(trust)}"] if trust else []
    pieces = list(map(one_line, pieces))
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if len(lines[-1]) + len(piece) + len("  \\") <= _COLUMNS:
            lines[-1] += f" {piece}"
        else:
            lines.append(f"    {piece}")
    return " \\\n".join(lines)


def _options(data: Mapping[str, Any]) -> Iterator[str]:
    defaults = {name: option.default for name, option in inspect.signature(VideoDataModule).parameters.items()}
    defaults |= {field.name: field.default for field in fields(EvaluationViews)}
    for name in _OF_TEST:
        if name in data and data[name] != defaults[name]:
            value = data[name]
            yield f"--data.{name} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}"
    if not any(data.get(name) for name in _VIDEOS):
        yield "--data.test VIDEOS"


def _accuracies(history: History, checkpoint: RunCheckpoint | None) -> str:
    names = history.accuracies
    if not names:
        return f"trained {_epochs(history)}; nothing was validated, so no checkpoint is the best"
    name, score = names[0], None
    if checkpoint is not None and checkpoint.monitor in names:
        name, score = checkpoint.monitor, checkpoint.best_model_score
    last, best = history.validations[-1], history.best(name)
    if score is not None:  # an earlier one may be gone
        best = next((each for each in history.validations if each.values.get(name) == float(score)), best)
    return f"{name}: best {_share(best or last, name)}, last {_share(last, name)}"


def _share(validation: Validation, name: str) -> str:
    return f"{100 * validation.values[name]:.1f} % (epoch {round(validation.epoch, 2):g})"


def _epochs(history: History) -> str:
    epochs = round(history.stretches[-1].epoch, 2) if history.stretches else 0
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"


def _kept(trainer: Trainer) -> RunCheckpoint | None:
    return next((each for each in trainer.checkpoint_callbacks if isinstance(each, RunCheckpoint)), None)


def _folder(trainer: Trainer) -> str:
    """Folder of the run: that of its checkpoints, which loggers choose, or else of its log. Every process must ask."""
    log_dir = str(trainer.log_dir or trainer.default_root_dir)
    return _folder_above(_kept(trainer)) or log_dir


def _folder_above(kept: RunCheckpoint | None) -> str | None:
    place = "" if kept is None else str(kept.dirpath)
    return os.path.dirname(place) if os.path.basename(place) == "checkpoints" else None
