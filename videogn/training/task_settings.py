"""What a task is told beside its network, and what of it a checkpoint decides."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_args

from torch import nn

from videogn.checks import check_choice
from videogn.choices import CompileName, GroupNormName, LayoutName, MemoryFormatName, NetworkInput
from videogn.training.augmentation import AugmentationSettings
from videogn.training.freezing import FreezingSettings
from videogn.training.objective import ObjectiveSettings
from videogn.training.optimisation import Optimisation

#: Names of the fields of `NetworkInput`.
INPUT = tuple(field.name for field in fields(NetworkInput))
#: Hyper-parameters that define the network and its input. A checkpoint decides them.
CONTRACT = ("arch", "norm", "norm_options", "arch_options", *INPUT)


@dataclass(frozen=True, kw_only=True)
class ComputingSettings:
    """How the network computes, which changes no more than rounding: a checkpoint does not have it.

    Args:
        memory_format: Layout of activations: channels outermost (`contiguous`), innermost (`channels_last`), or the
            faster one as measured (`auto`).
        compile: Whether and how torch.compile compiles the network: true or `whole`, `regional` (block by block, sooner
            ready) or `graphs` (whole, with CUDA graphs, for clips of one size).
        group_norm: Kernels of GroupNorm: PyTorch's or, on CUDA, `triton`.
        check_precision: Whether training first checks its convolutions in 16 bits.

    Raises:
        ValueError: A name is unknown.
    """

    memory_format: MemoryFormatName = "auto"
    compile: bool | CompileName = False
    group_norm: GroupNormName = "pytorch"
    check_precision: bool = True

    def __post_init__(self) -> None:
        check_choice("memory_format", self.memory_format, get_args(MemoryFormatName))
        check_choice("group_norm", self.group_norm, get_args(GroupNormName))
        if not isinstance(self.compile, bool):
            check_choice("compile", self.compile, ("true", "false", *get_args(CompileName)))

    def prepare(self, net: nn.Module, norm: str, trainer: Any, *, training: bool) -> LayoutName:
        """Lay out a network in memory, choose its kernels and have it compiled, as is asked for; return its layout."""
        from videogn.models.compiling import compile_network
        from videogn.models.fused_norms import choose_group_norm
        from videogn.models.memory_format import lay_out, layout_for
        from videogn.models.stem_convolution import fold_time

        device = trainer.strategy.root_device
        precision, compiled = str(trainer.precision), self.compile is not False
        layout = layout_for(
            *(self.memory_format, device, precision, norm),
            training=training,
            compiled=compiled,
            group_norm=self.group_norm,
        )
        choose_group_norm(
            *(self.group_norm, net, device), norm=norm, precision=precision, layout=layout, compiled=compiled
        )
        lay_out(net, layout)
        fold_time(net, device, precision)
        compile_network(net, device, self.compile)
        return layout


#: Names of the fields of `ComputingSettings`.
COMPUTING = tuple(field.name for field in fields(ComputingSettings))


@dataclass(frozen=True, kw_only=True)
class TaskSettings(
    Optimisation, FreezingSettings, ObjectiveSettings, AugmentationSettings, ComputingSettings, NetworkInput
):
    """What the network sees and how it is trained, as one value. Args: those of all.

    jsonargparse looks up the types of fields in the modules of this class and of its first base only: the other bases
    do with built-in types.
    """

    def __post_init__(self) -> None:
        NetworkInput.__post_init__(self)
        Optimisation.__post_init__(self)
        ObjectiveSettings.__post_init__(self)
        FreezingSettings.__post_init__(self)
        AugmentationSettings.__post_init__(self)
        ComputingSettings.__post_init__(self)

    def check_convolutions(self, net: nn.Module, trainer: Any, layout: LayoutName) -> None:
        """Refuse to train with convolutions that are wrong in the precision of the run, unless that is asked for."""
        if self.check_precision and "16" in str(trainer.precision):
            from videogn.training.precision_check import check_training

            check_training(trainer, net, self, layout)
