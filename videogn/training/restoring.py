"""What Lightning is given of a checkpoint, and what is said where that does not fit the training run."""

from __future__ import annotations

import io
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from videogn.models.stated_values import count, truth
from videogn.system.memory_errors import out_of_memory
from videogn.training.resuming import stopped_in_epoch

#: Entries of a checkpoint that a use of its network needs.
_NETWORK = {"state_dict", "hyper_parameters", "training"}
_TEST = {"state_dict", "epoch", "global_step"}
#: Names of counts and of truths in the state of a training loop.
_COUNTS = {"ready", "started", "processed", "completed", "samples_yielded", "drawn", "epoch", "_num_yielded"}
_COUNTS |= {"_sampler_iter_yielded", "_batches_that_stepped"}
_TRUTHS = {"is_last_batch", "_iterator_finished"}
_MOST = 10**12
_RESTORES = "checkpoint_connector.py"


def read_for_lightning(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint for a trainer.

    Args:
        path: File of the checkpoint.

    Returns:
        Its content. The version is that of the Lightning at hand, which would turn the file of an older one into one of
        its own: there are no older ones of ours.

    Raises:
        OSError: The file does not exist or cannot be read.
        ValueError: It is not a checkpoint.
    """
    from videogn.models.weight_sources import read_checkpoint

    content = read_checkpoint(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a checkpoint of a training run")
    return {**content, "pytorch-lightning_version": pl.__version__}


def copy_of_network(path: str | Path, *, trust: Collection[str] = ()) -> io.BytesIO:
    """Make a file in memory of a checkpoint's network alone, with the hyper-parameters that are taken from it.

    Args:
        path: File of the checkpoint.
        trust: As for `read_fit_checkpoint`. Default: none.

    Returns:
        The file, to be read from its beginning.

    Raises:
        OSError, ValueError: As for `read_fit_checkpoint`.
    """
    from videogn.models.fit_checkpoint import read_fit_checkpoint

    content = read_fit_checkpoint(path, trust=trust)
    file = io.BytesIO()
    kept = {name: content[name] for name in _NETWORK & content.keys()}
    torch.save({**kept, "pytorch-lightning_version": pl.__version__}, file)
    file.seek(0)
    return file


def leave_weights(content: dict[str, Any]) -> None:
    """Take out of a checkpoint, in place, all that a test of its network does not need."""
    for name in content.keys() - _TEST:
        del content[name]


def check_progress(path: str | Path, content: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose counts are none, before a trainer goes by them.

    Args:
        path: File of the checkpoint, for the message.
        content: Its content.

    Raises:
        ValueError: A count of epochs, batches or videos is no whole number, or beyond all measure.
    """
    try:
        count("global_step", content.get("global_step"), _MOST, least=0)
        _check_counts(content["loops"])
        stopped_in_epoch(content)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no training run to go on with: it does not say how far it is") from error
    except ValueError as error:
        raise ValueError(f"{path} is no training run to go on with: {error}") from error


def check_epochs(path: str | Path, content: Mapping[str, Any], max_epochs: int | None) -> None:
    """Refuse to go on with a training run that has come further than this one is to go.

    Args:
        path: File of the checkpoint, for the message.
        content: Its content, checked by `check_progress`.
        max_epochs: Epochs of this run; None or -1 for no limit.

    Raises:
        ValueError: The checkpoint has more.
    """
    done = 0
    with suppress(KeyError, TypeError):  # Lightning will not restore it, and say why
        done = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    if max_epochs is not None and 0 <= max_epochs < done:
        raise ValueError(
            f"--trainer.max_epochs must be > {done} to go on from {path}, which has {done} epochs, got {max_epochs}"
        )


def _check_counts(loops: Any) -> None:
    waiting, seen = [loops], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            for name, each in value.items():
                if name in _COUNTS:
                    count(name, each, _MOST, least=0)
                elif name in _TRUTHS:
                    truth(name, each)
                else:
                    waiting.append(each)
        elif isinstance(value, list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value


@contextmanager
def restoring(path: str | None) -> Iterator[None]:
    """Say in one line that a checkpoint does not fit the training run that it is to be restored into.

    Args:
        path: File of the checkpoint, for the message.

    Raises:
        ValueError: In place of what Lightning, an optimiser or a callback raises while it restores its state.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RuntimeError) as error:
        if path is None or out_of_memory(error) or not _in_restoring(error):
            raise
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(
            f"{path} does not fit: what it says about its training run cannot be restored "
            f"({type(error).__name__}: {reason[:200]})"
        ) from error


def _in_restoring(error: BaseException) -> bool:
    """Whether it was raised where Lightning restores a state, and not where the same module saves one."""
    return any(
        frame.filename.endswith(_RESTORES) and frame.name.lstrip("_").startswith(("restore", "resume"))
        for frame in traceback.extract_tb(error.__traceback__)
    )
