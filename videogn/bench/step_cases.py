"""A training step and inference of one network in one form, ready to be timed in turns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from videogn.bench.clocks import Clock, times_of, warm_up
from videogn.choices import CompileName, GroupNormName, LayoutName, MemoryFormatName
from videogn.memory import StepSetting, TrainingStep, inference_peak, step_peak
from videogn.models.compiling import compile_network
from videogn.models.fused_norms import choose_group_norm
from videogn.models.memory_format import format_of_clips, lay_out, layout_for
from videogn.models.stem_convolution import fold_time
from videogn.training.precision_check import check_convolutions, reduced_type, slow_arithmetic


@dataclass(frozen=True)
class StepCase:
    """What is measured.

    Attributes:
        setting: Network, input and optimiser.
        batch_size: Number of clips B.
        memory_format: Layout of weights and clips: contiguous, channels_last, or auto, as training takes it. Default:
            "contiguous".
        compile: Whether the network is compiled, and how; see `videogn.models.compiling`. Default: False.
        group_norm: What computes its GroupNorm, pytorch or triton. Default: "pytorch".
    """

    setting: StepSetting
    batch_size: int
    memory_format: MemoryFormatName = "contiguous"
    compile: bool | CompileName = False
    group_norm: GroupNormName = "pytorch"


def make_step(case: StepCase, device: torch.device) -> tuple[TrainingStep, LayoutName]:
    """Build a case's network in its form, and the step that trains it.

    Args:
        case: The case.
        device: Device that it runs on.

    Returns:
        The step, and the layout that its clips are to have.

    Raises:
        ValueError: It cannot run here, or its convolutions are wrong here.
    """
    precision = case.setting.precision
    if precision == "16-mixed" and device.type == "cpu":
        raise ValueError("16-mixed takes a GPU: on a CPU, fit trains in bf16-mixed instead")
    compiled = case.compile is not False
    norm, group_norm = case.setting.norm, case.group_norm
    layout = layout_for(
        *(case.memory_format, device, precision, norm), training=True, compiled=compiled, group_norm=group_norm
    )

    def prepare(model: nn.Module) -> None:
        choose_group_norm(
            *(group_norm, model, device), norm=norm, precision=precision, layout=layout, compiled=compiled
        )
        _check_convolutions(case.setting, model, device, layout)
        lay_out(model, layout)
        fold_time(model, device, precision)
        compile_network(model, device, case.compile)

    foreach = device.type == "cuda"
    return TrainingStep(case.setting, case.batch_size, str(device), foreach=foreach, prepare=prepare), layout


class WarmCase:
    """A case whose step and inference have run until they got no quicker, and whose memory is known.

    Args:
        case: The case.
        device: Device that it runs on.
        clock: Its clock.

    Attributes:
        step_peak_bytes: Largest number of bytes of the training step at one moment.
        inference_peak_bytes: The same of inference.

    Raises:
        ValueError: It cannot run here, or its convolutions are wrong here.
    """

    def __init__(self, case: StepCase, device: torch.device, clock: Clock) -> None:
        self._clock = clock
        self._step, layout = make_step(case, device)
        # Of zeros all activations are zeros, which GPUs multiply with less power, and so at a higher clock rate.
        shape = case.setting.clips(1).shape[1:]
        clips = torch.randn(case.batch_size, *shape, device=device).to(case.setting.dtype)
        self._clips = clips.contiguous(memory_format=format_of_clips(layout))
        self._train_times = times_of(warm_up(lambda: self._train(1)))
        self.step_peak_bytes = step_peak(self._step, self._clips)  # here, where the network still is in training mode
        self._infer_times = times_of(warm_up(lambda: self._infer(1)))
        self.inference_peak_bytes = inference_peak(self._step, self._clips)

    def turn(self) -> tuple[float, float]:
        """Run both for a moment; returns seconds of a training step, and of inference of the batch."""
        return self._train(self._train_times), self._infer(self._infer_times)

    def _train(self, times: int) -> float:
        self._step.model.train()
        return self._clock.seconds(lambda: self._step.take(self._clips), times)

    def _infer(self, times: int) -> float:
        self._step.model.eval()
        with torch.inference_mode():
            return self._clock.seconds(lambda: self._step.logits(self._clips), times)


def _check_convolutions(setting: StepSetting, model: nn.Module, device: torch.device, layout: LayoutName) -> None:
    """Refuse to time what training would refuse to compute, or warn of: it would take hours and be worth nothing."""
    dtype = reduced_type(setting.precision)
    if dtype is not None:
        if device.type == "cpu" and (slow := slow_arithmetic(dtype)):
            raise ValueError(slow)
        size = (setting.clip_length, setting.crop, setting.crop)
        check_convolutions(model, [size], device, dtype, layout=layout, override=None)
