"""The step of a training run, from the words of its configuration or checkpoint."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from videogn.memory.step import OPTIMIZERS, StepSetting
from videogn.models.network_parts import part_names

#: Number format as Lightning's Trainer takes it -> as it is planned. float16 takes as many bytes as bfloat16.
PLANNED_PRECISIONS = {
    "32": "32",
    "32-true": "32",
    "bf16-mixed": "bf16-mixed",
    "bf16": "bf16-mixed",
    "16-mixed": "bf16-mixed",
    "16": "bf16-mixed",
    "bf16-true": "bf16-true",
    "16-true": "bf16-true",
    "64": "64-true",
    "64-true": "64-true",
}


def setting_of_run(
    model: Mapping[str, Any],
    num_classes: int,
    precision: Any,
    optimizer: tuple[str, Mapping[str, Any]] = ("SGD", {}),
) -> StepSetting | None:
    """Make the setting of a training step.

    Args:
        model: Options of `--model`, or hyper-parameters of a checkpoint: arch, norm, norm_options, arch_options,
            clip_length and crop_size; freeze, unfreeze_epochs and ema where they are used.
        num_classes: Number of classes K.
        precision: Number format as Lightning's Trainer takes it.
        optimizer: Name or dotted path of the optimiser, and its options. Default: SGD.

    Returns:
        The setting, or None where the number format cannot be planned.
    """
    planned = PLANNED_PRECISIONS.get(str(precision or "32"))
    if planned is None:
        return None
    options = dict(model["arch_options"] or {})
    mode = options.pop("memory_mode", "plain")
    if isinstance(options.get("pool_window"), list):
        options["pool_window"] = tuple(options["pool_window"])
    return StepSetting(
        *(model["arch"], model["norm"], model["clip_length"], model["crop_size"], planned, mode, num_classes),
        arch_options=options,
        norm_options=dict(model["norm_options"] or {}),
        optimizer=optimizer[0],
        optimizer_options=optimizer[1],
        freeze=part_names(model.get("freeze")),
        unfreeze=tuple(model.get("unfreeze_epochs") or ()),
        ema=model.get("ema") is not None,
    )


def options_of(optimizer: Optimizer) -> tuple[str, dict[str, Any]]:
    """Return the name or dotted path of an optimiser, and the options that it was made with."""
    made = type(optimizer)
    known = OPTIMIZERS.get(made.__name__) is made
    taken = inspect.signature(made).parameters
    options = {name: value for name, value in optimizer.defaults.items() if name in taken and name != "foreach"}
    return made.__name__ if known else f"{made.__module__}.{made.__qualname__}", options
