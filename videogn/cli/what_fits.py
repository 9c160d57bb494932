"""The line that a training or a test ends with where memory runs out: what would fit, by the plan."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from videogn.choices import EvaluationViews, chosen
from videogn.system.memory_errors import out_of_memory
from videogn.system.sizes import counted, format_size

#: Width of frames in units of their height, where those of a test are not known.
_WIDE = 16 / 9


@contextmanager
def saying_what_fits(cli: Any, command: str) -> Iterator[None]:
    """Turn memory that runs out into one line.

    Args:
        cli: Its model, datamodule and trainer are those of the run.
        command: fit, validate or test.

    Raises:
        ValueError: In place of the error that memory has run out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error) or os.environ.get("VIDEOGN_TRACEBACK"):
            raise
        loading = "DataLoader worker" in str(error)
        traceback.clear_frames(error.__traceback__)  # they hold the activations
    else:
        return
    if loading:
        raise ValueError(
            "out of memory in a loader process: fewer of them (--data.num_workers) or a smaller --data.cache need less"
        )
    raise ValueError(f"out of memory: {_training(cli) if command == 'fit' else _evaluation(cli, command)}")


def _setting(cli: Any) -> Any:
    from videogn.memory import options_of, setting_of_run

    optimizers = cli.trainer.optimizers
    used = options_of(optimizers[0]) if optimizers else ("SGD", {})
    return setting_of_run(cli.model.hparams, len(cli.model.class_names), cli.trainer.precision, used)


def _training(cli: Any) -> str:
    from videogn.memory import device_memory, largest_batches, step_memory  # no run that ends well needs it

    device, clips = cli.trainer.strategy.root_device, cli.datamodule.batch_size
    setting, limit = _setting(cli), device_memory(device)
    if setting is None or limit is None:
        return f"a smaller --data.batch_size than {clips} needs less, and so does {_modes('block')}"
    kind = _kind(device)
    fits = largest_batches(setting, limit, device=kind)
    needed = step_memory(setting, clips, device=kind).peak_bytes
    said = (
        f"batches of {counted(clips, 'clip')} need {format_size(needed)} in memory mode {setting.memory_mode}, by the "
        f"plan, and {format_size(limit)} can be used on {device}"
    )
    if max(fits.values()) == 0:
        return f"{said}, where not one clip fits in any mode: take shorter or smaller clips or a smaller network"
    listed = ", ".join(f"{number} in {mode}" for mode, number in fits.items())
    if needed <= limit:
        said += "; something else has taken the rest, loader processes or other programs"
    slower = next((mode for mode, number in fits.items() if number >= clips and mode != setting.memory_mode), None)
    mode = "" if slower is None else f" or {_modes(slower)}"
    return f"{said}. Clips that fit: {listed}; take a smaller --data.batch_size{mode}"


def _modes(mode: str) -> str:
    return f"--model.arch_options '{{memory_mode: {mode}}}'"


def _kind(device: Any) -> str:
    return "cuda" if device.type == "cuda" else "cpu"


def _evaluation(cli: Any, command: str) -> str:
    from videogn.memory import device_memory
    from videogn.memory.forward import ForwardPlan

    views = chosen(EvaluationViews, cli.model.hparams)
    option, clips, side = "--data.eval_batch_size", cli.datamodule.eval_batch_size, views.crop_size
    size = (views.clip_length, side, side)
    if command == "test":
        option, clips = "--model.clips_per_forward", cli.model.hparams["clips_per_forward"]
        if views.crops != "center":
            side = views.short_side
            size = (views.clip_length, side, round(side * _WIDE) if views.crops == "full" else side)
    device = cli.trainer.strategy.root_device
    setting, limit = _setting(cli), device_memory(device)
    shape = " x ".join(map(str, size))
    if setting is None or limit is None or not cli.model.hparams["arch"]:  # an exported file
        return f"{counted(clips, 'clip')} of {shape} at once are too many: a smaller {option} needs less"
    plan = ForwardPlan(setting, size, device=_kind(device))
    fit = plan.largest_batch(limit)
    return (
        f"{counted(clips, 'clip')} of {shape} at once need {format_size(plan.peak_bytes(clips))}, by the plan, and "
        f"{format_size(limit)} can be used, where {fit} would fit: take {option} {max(min(fit, clips - 1), 1)}"
    )
