"""One training step as `videogn fit` takes it: network, input and optimiser."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.checks import check_choice, require_at_least
from videogn.choices import ARCH, NORM, NUM_CLASSES, NetworkInput, PrecisionName
from videogn.extensions import check_options, find
from videogn.models import make_model
from videogn.models.input_size import check_input
from videogn.models.network_parts import freeze

#: Lightning's names of the number formats that a step can be taken in.
PRECISIONS = get_args(PrecisionName)
#: Number format -> that of convolutions and matrix products alone; weights, and most of the rest, stay in float32.
_MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
#: Number format -> that of weights and clips, where it is not float32.
_WHOLE = {"bf16-true": torch.bfloat16, "64-true": torch.float64}
#: PyTorch's optimisers that need no more than gradients.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    name: value
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and name not in ("Optimizer", "LBFGS")
}


@dataclass(frozen=True)
class StepSetting:
    """Everything that the memory of a training step depends on, except the batch size.

    Attributes:
        model: Architecture, as for `videogn.models.make_model`. Default: "i3d_r50".
        norm: Norm, as for `videogn.norm.make_norm`. Default: "gn".
        clip_length: Number of frames T in a clip. Default: 32.
        crop: Side of the square crop, in pixels. Default: 224.
        precision: Number format, one of `PRECISIONS`. Default: "32".
        memory_mode: plain, lean, block or stage. Default: "plain".
        num_classes: Number of classes K. Default: 400.
        arch_options: Further arguments of the model's builder, for instance {"pool_window": (None, 4, 4)}.
        norm_options: Options of the norm.
        optimizer: Name of an optimiser of `torch.optim`, or its dotted path. Default: "SGD", with Nesterov momentum.
        optimizer_options: Options of the optimiser.
        freeze: Parts of the network that do not train, as for `videogn.models.network_parts.find_part`. Default: none.
        unfreeze: Parts of them that train later: the step is one of that time, which needs more. Default: none.
        ema: Whether an average of the weights is kept beside them. Default: False.
    """

    model: str = ARCH
    norm: str = NORM
    clip_length: int = NetworkInput.clip_length
    crop: int = NetworkInput.crop_size
    precision: str = "32"
    memory_mode: str = "plain"
    num_classes: int = NUM_CLASSES
    arch_options: Mapping[str, Any] = field(default_factory=dict)
    norm_options: Mapping[str, Any] = field(default_factory=dict)
    optimizer: str = "SGD"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    unfreeze: tuple[str, ...] = ()
    ema: bool = False

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("clip_length", "crop", "num_classes"):
            require_at_least(name, getattr(self, name), 1)

    @property
    def sub_batch(self) -> int:
        """Number of clips that a batch is a multiple of: those of the sub-batches that the norm has, otherwise 1."""
        return int(self.norm_options.get("clips", 1))

    @property
    def autocast_dtype(self) -> torch.dtype | None:
        """What convolutions and matrix products are computed in, if that is not the format of the weights."""
        return _MIXED.get(self.precision)

    @property
    def dtype(self) -> torch.dtype:
        """Format of the weights and of the clips."""
        return _WHOLE.get(self.precision, torch.float32)

    def build(self) -> nn.Module:
        """Build the network, in training mode except for what is frozen."""
        # A network from outside need not know memory modes.
        mode = {} if self.memory_mode == "plain" else {"memory_mode": self.memory_mode}
        options = {**self.arch_options, **mode}
        model = make_model(self.model, self.num_classes, self.norm, self.norm_options, options)
        freeze(model, self.freeze, self.num_classes, self.unfreeze)
        return model.to(self.dtype)

    def optimise(self, model: nn.Module, *, foreach: bool) -> torch.optim.Optimizer:
        """Make the optimiser, with PyTorch's options and those of `videogn fit` for SGD.

        Args:
            model: Network.
            foreach: Whether the optimiser updates all parameters at once, PyTorch's default on CUDA.
        """
        make = find("optimizer", self.optimizer, OPTIMIZERS, "videogn.optimizers")
        options: dict[str, Any] = {"lr": 1e-3}
        if self.optimizer == "SGD":
            options |= {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
        if "foreach" in inspect.signature(make).parameters:
            options["foreach"] = foreach
        check_options(f"optimizer {self.optimizer!r}", make, self.optimizer_options, positional=1)
        return make(_trained(model), **{**options, **self.optimizer_options})

    def clips(self, batch_size: int) -> Tensor:
        """Make the network's input, zeros (B, 3, T, H, W) in the format of the weights."""
        return torch.zeros(batch_size, 3, self.clip_length, self.crop, self.crop, dtype=self.dtype)


class TrainingStep:
    """A step other than the first: gradients and the optimiser's state are there from the step before.

    Lightning clears the old gradients between the forward and the backward pass, so that they are part of the peak.

    Args:
        setting: Network, input and optimiser.
        batch_size: Number of clips B.
        device: Device that the step runs on. Default: "cpu".
        foreach: Whether the optimiser updates all parameters at once, PyTorch's default on CUDA. Default: False.
        prepare: What is done to the network in place before it trains, such as changing the layout of its weights or
            having it compiled. Default: nothing.
    """

    def __init__(
        self,
        setting: StepSetting,
        batch_size: int,
        device: str = "cpu",
        *,
        foreach: bool = False,
        prepare: Callable[[nn.Module], object] = lambda model: None,
    ) -> None:
        require_at_least("batch_size", batch_size, 1)
        self.setting = setting
        self.batch_size = batch_size
        self.device = torch.device(device)
        with self.device:
            self.model = setting.build()
        prepare(self.model)
        # Of parameters and buffers, on the device of the network.
        held = [*self.model.parameters(), *self.model.buffers()] if setting.ema else []
        self.averages = [torch.zeros_like(tensor) for tensor in held]
        self.optimizer = setting.optimise(self.model, foreach=foreach)
        # Small gradients are 0 in float16 unless the loss is scaled; CPUs do not train in it.
        scaled = setting.autocast_dtype is torch.float16 and self.device.type == "cuda"
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        for parameter in _trained(self.model):
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()

    @property
    def optimizer_state(self) -> list[Tensor]:
        """The tensors of the optimiser: the momentum of every parameter in SGD, two moments in Adam."""
        states = self.optimizer.state.values()
        return [value for state in states for value in state.values() if isinstance(value, Tensor)]

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients of all parameters that have one."""
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]

    @property
    def network_bytes(self) -> int:
        """Size of the network, its parameters and buffers."""
        return sum(tensor.nbytes for tensor in (*self.model.parameters(), *self.model.buffers()))

    def logits(self, clips: Tensor) -> Tensor:
        """Compute the logits (B, K, T', H', W') of clips (B, 3, T, H, W) on the device."""
        with self._autocast():
            logits: Tensor = self.model(clips)
            return logits

    def forward(self, clips: Tensor | None = None) -> Tensor:
        """Compute the loss of a batch: cross-entropy at every position, averaged.

        Args:
            clips: Clips (B, 3, T, H, W) on the device. Default: zeros.
        """
        if clips is None:
            check_input(self.model, self.setting.clip_length, self.setting.crop, side_name="crop")
            clips = self.setting.clips(self.batch_size).to(self.device)
        labels = torch.zeros(self.batch_size, 1, dtype=torch.long, device=self.device)
        with self._autocast():
            logits = self.model(clips).flatten(2)  # (B, K, positions)
            return F.cross_entropy(logits, labels.expand(-1, logits.shape[2]))

    def backward(self, loss: Tensor) -> None:
        """Replace the old gradients by new ones."""
        self.optimizer.zero_grad()
        self._scaler.scale(loss).backward()

    def update(self) -> None:
        """Update the parameters."""
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def take(self, clips: Tensor | None = None) -> None:
        """Take the whole step; the argument is that of `forward`."""
        self.backward(self.forward(clips))
        self.update()

    def _autocast(self) -> torch.autocast:
        dtype = self.setting.autocast_dtype
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
