"""One training step, and the memory it takes: planned without a device, on tensors that have shapes and no numbers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from videogn.checks import check_choice
from videogn.memory.allocations import AllocationLog
from videogn.models import MODELS

#: Lightning's names of number formats that can be planned.
PRECISIONS = ("32", "bf16-mixed")


@dataclass(frozen=True)
class StepSetting:
    """What a step's memory depends on, apart from the batch size.

    Attributes:
        model: a name of `videogn.models.MODELS`.
        norm: a name of `videogn.norm.NORMS`, with its default options.
        clip_length: T, frames in a clip.
        crop: side of the square crop, pixels.
        precision: 32 or bf16-mixed.
        memory_mode: plain, lean, block or stage.
        num_classes: K.
        arch_options: further arguments of the model's builder, for instance {"pool_window": (None, 4, 4)}.
    """

    model: str = "i3d_r50"
    norm: str = "gn"
    clip_length: int = 32
    crop: int = 224
    precision: str = "32"
    memory_mode: str = "plain"
    num_classes: int = 400
    arch_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("model", self.model, MODELS)
        check_choice("precision", self.precision, PRECISIONS)
        taken = inspect.signature(MODELS[self.model]).parameters
        for option in self.arch_options:
            check_choice(f"option of {self.model}", option, taken)
        for name in ("clip_length", "crop", "num_classes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")

    def build(self) -> nn.Module:
        """The network, in training mode."""
        return MODELS[self.model](
            num_classes=self.num_classes, norm=self.norm, memory_mode=self.memory_mode, **self.arch_options
        )

    def clips(self, batch_size: int) -> Tensor:
        """Input of the network, float32 (B, 3, T, H, W), zeros."""
        return torch.zeros(batch_size, 3, self.clip_length, self.crop, self.crop)


class TrainingStep:
    """A step as `videogn fit` takes it, not the first one: gradients and momentum of the one before are there.

    Lightning clears the old gradients between the forward and the backward pass, so that they take part in the peak.

    Args:
        setting: network and input.
        batch_size: B.
        device: where to run.
        foreach: whether the optimiser takes all parameters at once, as PyTorch's does on CUDA.
    """

    def __init__(self, setting: StepSetting, batch_size: int, device: str = "cpu", *, foreach: bool = False) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        self.setting = setting
        self.batch_size = batch_size
        self.device = torch.device(device)
        with self.device:
            self.model = setting.build()
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, nesterov=True, foreach=foreach
        )
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()

    @property
    def optimizer_state(self) -> list[Tensor]:
        """The momentum of every parameter."""
        return [value for state in self.optimizer.state.values() for value in state.values()]

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients that there are."""
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]

    def forward(self) -> Tensor:
        """Clips -> loss: cross-entropy at every position, averaged."""
        clips = self.setting.clips(self.batch_size).to(self.device)
        labels = torch.zeros(self.batch_size, 1, dtype=torch.long, device=self.device)
        mixed = self.setting.precision == "bf16-mixed"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            logits = self.model(clips).flatten(2)  # (B, K, positions)
            return F.cross_entropy(logits, labels.expand(-1, logits.shape[2]))

    def backward(self, loss: Tensor) -> None:
        """The old gradients go, the new ones come."""
        self.optimizer.zero_grad()
        loss.backward()

    def update(self) -> None:
        """SGD with Nesterov momentum."""
        self.optimizer.step()


@dataclass(frozen=True)
class StepMemory:
    """Memory of one training step, bytes.

    Attributes:
        batch_size: B.
        activation_bytes: what the forward pass leaves for the backward pass, the clips included.
        peak_bytes: the most that is allocated at any moment.
        at_peak: kind -> bytes at that moment: parameters (with buffers), gradients, momentum, activations, temporaries.
    """

    batch_size: int
    activation_bytes: int
    peak_bytes: int
    at_peak: Mapping[str, int]


def step_memory(setting: StepSetting, batch_size: int, *, device: str = "cuda") -> StepMemory:
    """Plan the memory of a training step: run it on fake tensors and record every allocation.

    Left out is what no tensor holds: the device's context, workspaces of cuDNN and other kernels, what the caching
    allocator rounds up or loses to fragmentation; the decoded frames and the buckets of distributed training.

    Args:
        setting: network and input.
        batch_size: B.
        device: to plan for, cuda or cpu; none is needed. It matters to mixed precision: on CUDA autocast runs
            group_norm in float32.

    Returns:
        The memory.

    Raises:
        ValueError: a name or number is wrong, or the network does not take the input.
    """
    check_choice("device", device, ("cuda", "cpu"))
    with FakeTensorMode(), AllocationLog() as log:
        step = TrainingStep(setting, batch_size, foreach=device == "cuda")
        if device == "cuda":
            _group_norm_in_float32(step.model)
        log.label("parameters", [*step.model.parameters(), *step.model.buffers()])
        log.label("momentum", step.optimizer_state)
        log.label("gradients", step.gradients)
        start = log.now
        loss = step.forward()
        log.label_others("activations")
        step.backward(loss)
        log.label("gradients", step.gradients)
        step.update()
    at_peak = log.at_peak(start)
    return StepMemory(batch_size, log.bytes_of("activations"), at_peak.total(), at_peak)


def _group_norm_in_float32(model: nn.Module) -> None:
    """What CUDA's autocast does ("CUDA Ops that can autocast to float32" in its documentation) and the CPU's does not.

    The CPU's has no rule for group_norm, which then runs in the format of its input.
    """
    for module in model.modules():
        if hasattr(module, "num_groups"):
            module.register_forward_pre_hook(lambda _, inputs: tuple(x.float() for x in inputs))


def model_size(setting: StepSetting) -> tuple[int, int]:
    """Count what does not depend on the memory mode or the number format.

    Args:
        setting: network and input.

    Returns:
        Trained parameters, and multiply-adds of one clip's forward pass: convolutions and classifier, as papers count.
    """
    with FakeTensorMode(), torch.no_grad():
        model = setting.build().eval()
        with FlopCounterMode(display=False) as counter:
            model(setting.clips(1))
        parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return parameters, counter.get_total_flops() // 2  # an addition and a multiplication each


def plan_row(setting: StepSetting, interval: int, memory: StepMemory, size: tuple[int, int]) -> dict[str, Any]:
    """One line of a plan, as `videogn plan --json` prints it.

    Args:
        setting: network and input.
        interval: frames from one frame of a clip to the next.
        memory: of `step_memory`.
        size: of `model_size`.

    Returns:
        model, norm, clip_length, interval, crop, batch_size, precision, memory_mode, activation_bytes, peak_bytes,
        parameters, multiply_adds.
    """
    return {
        "model": setting.model,
        "norm": setting.norm,
        "clip_length": setting.clip_length,
        "interval": interval,
        "crop": setting.crop,
        "batch_size": memory.batch_size,
        "precision": setting.precision,
        "memory_mode": setting.memory_mode,
        "activation_bytes": memory.activation_bytes,
        "peak_bytes": memory.peak_bytes,
        "parameters": size[0],
        "multiply_adds": size[1],
    }
