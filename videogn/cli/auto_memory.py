"""`memory_mode: auto`: the memory mode, batch size and accumulation that fit the device of a training run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from jsonargparse import Namespace
from lightning.pytorch.accelerators import CPUAccelerator, CUDAAccelerator, MPSAccelerator

from videogn.checks import check_choice
from videogn.choices import NUM_CLASSES
from videogn.system.ranks import rank
from videogn.system.sizes import counted

if TYPE_CHECKING:
    from videogn.memory import Fit, StepSetting

_log = logging.getLogger(__name__)
_ACCELERATORS: dict[str, Any] = {"cuda": CUDAAccelerator, "mps": MPSAccelerator, "cpu": CPUAccelerator}


def choose_memory(config: Namespace, before: Mapping[str, Any]) -> None:
    """Put a memory mode, a batch size and an accumulation that fit in the place of `memory_mode: auto`.

    Number of clips an optimiser step stays what was asked for. A run that goes on keeps what its checkpoint says, on
    whatever device.

    Args:
        config: Settings of `fit`, changed in place.
        before: Facts of the run that goes on: memory_mode, clips_per_batch and clips_per_step; empty for a new one.

    Raises:
        ValueError: Nothing fits, or nobody knows what would.
    """
    options = dict(config.model.arch_options or {})
    if options.get("memory_mode") != "auto":
        return
    devices = _devices(config.trainer)
    fit = _as_before(config, before, len(devices)) if before else _new(config, devices)
    del options["memory_mode"]
    # A network from outside need not know memory modes.
    config.model.arch_options = {**options, **({} if fit.memory_mode == "plain" else {"memory_mode": fit.memory_mode})}
    if rank() == 0:
        divided = fit.batch_size != config.data.batch_size
        batches = f" with {fit.accumulated} batches of {counted(fit.batch_size, 'clip')} a step" if divided else ""
        _log.info("memory_mode auto: %s%s; %s", fit.memory_mode, batches, fit.reason)
    config.data.batch_size, config.trainer.accumulate_grad_batches = fit.batch_size, fit.accumulated


def leave_out_auto(config: Namespace) -> None:
    """Leave `memory_mode: auto` out of the settings of a command that computes no gradients."""
    options = config.model.arch_options or {}
    if options.get("memory_mode") == "auto":
        config.model.arch_options = {name: value for name, value in options.items() if name != "memory_mode"}


def _new(config: Namespace, devices: list[torch.device]) -> Fit:
    from videogn.memory import device_memory, find_fit  # most runs need no plan here

    together = len(devices) * config.trainer.num_nodes
    if together > 1 and devices[0].type != "cuda":
        raise ValueError(f"memory_mode auto plans for GPUs or one CPU process, got {together} on {devices[0].type}")
    setting = _setting(config)
    limit = device_memory(devices[0], processes=together)
    if limit is None:
        raise ValueError(f"memory_mode auto: this system does not tell how much memory of {devices[0]} is free")
    kind = "cuda" if devices[0].type == "cuda" else "cpu"
    try:
        return find_fit(setting, config.data.batch_size, config.trainer.accumulate_grad_batches, limit, device=kind)
    except ValueError as error:
        raise ValueError(f"memory_mode auto: {error}") from error


def _setting(config: Namespace) -> StepSetting:
    from videogn.memory import setting_of_run

    model, optimizer = config.model, config.model.optimizer
    own = ("SGD", {"momentum": model.momentum, "nesterov": model.momentum > 0})
    asked = own if optimizer is None else (optimizer.class_path, dict(optimizer.init_args))
    classes = len(config.data.class_names or ()) or NUM_CLASSES  # the data has not been read yet
    setting = setting_of_run(model, classes, config.trainer.precision, asked)
    if setting is None:
        raise ValueError(
            f"memory_mode auto plans 32, bf16-mixed, 16-mixed, bf16-true and 64-true, not {config.trainer.precision}"
        )
    return setting


def _as_before(config: Namespace, before: Mapping[str, Any], devices: int) -> Fit:
    """What a checkpoint says; batches as asked for where it says nothing, or its batch cannot be divided alike."""
    from videogn.memory import Fit

    batch, accumulated = config.data.batch_size, config.trainer.accumulate_grad_batches
    together = devices * config.trainer.num_nodes
    of_batch, of_step = before.get("clips_per_batch"), before.get("clips_per_step")
    if of_step == batch * accumulated * together and of_batch and of_batch % together == 0:
        batch, accumulated = of_batch // together, of_step // of_batch
    return Fit(before["memory_mode"], batch, accumulated, "as in the checkpoint")


def _devices(trainer: Namespace) -> list[torch.device]:
    """Devices of the network, as the Trainer will choose them."""
    kind = str(trainer.accelerator)
    if kind in ("auto", "gpu"):
        others = ("mps", "cpu") if kind == "auto" else ("mps",)
        kind = next((each for each in ("cuda", *others) if _ACCELERATORS[each].is_available()), "cuda")
    check_choice("accelerator for memory_mode auto", kind, _ACCELERATORS)
    accelerator = _ACCELERATORS[kind]
    wanted = accelerator.auto_device_count() if trainer.devices == "auto" else trainer.devices
    parsed = accelerator.parse_devices(wanted)
    if kind == "cpu":
        return [torch.device("cpu")] * int(parsed)
    return [torch.device(kind, number) for number in parsed or ()]
