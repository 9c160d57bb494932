"""The network that a file describes, held against the tensors of the file before it is built."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from videogn.checks import shown
from videogn.models.architectures import MODELS, make_model
from videogn.models.shapes_only import shapes_only
from videogn.norm.table import NORMS


@dataclass(frozen=True)
class Described:
    """What a file says that its network is.

    Attributes:
        file: What says so, for messages.
        arch: Name of the network.
        num_classes: Number of classes.
        norm: Name of its norm.
        norm_options: Options of the norm, or None.
        arch_options: Further arguments of the network's builder, or None.
    """

    file: Path
    arch: str
    num_classes: int
    norm: str
    norm_options: Mapping[str, Any] | None
    arch_options: Mapping[str, Any] | None

    @property
    def is_ours(self) -> bool:
        """Whether network and norm are of this package: what was written outside need not do without memory."""
        return self.arch in MODELS and self.norm in NORMS

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the network; those of ours take no memory, whatever the options say.

        Raises:
            ValueError: There is no such network, or it does not take the options.
        """
        try:
            with shapes_only() if self.is_ours else nullcontext():
                net = make_model(self.arch, self.num_classes, self.norm, self.norm_options, self.arch_options)
        except Exception as error:  # options of a wrong type end in any kind of error
            raise ValueError(f"{self.file}: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
        return net.state_dict()


@dataclass(frozen=True)
class Stored:
    """A tensor as a file has it.

    Attributes:
        shape: Its shape.
        kind: Its type of numbers, for messages.
        floating: Whether these are floating-point numbers.
    """

    shape: tuple[int, ...]
    kind: str
    floating: bool


def check_tensors_fit(path: Path, described: str, wanted: Mapping[str, Tensor], given: Mapping[str, Stored]) -> None:
    """Refuse tensors of another network than the one that is described.

    Args:
        path: File of the tensors.
        described: What describes the network, for messages.
        wanted: Tensors of the network.
        given: Tensors of the file.

    Raises:
        ValueError: One is missing, is left over or has another shape or kind of numbers.
    """
    for name, tensor in wanted.items():
        if name not in given:
            raise ValueError(f"{path} lacks {name}, a tensor of the network that {described} names")
        stored = given[name]
        if stored.shape != tuple(tensor.shape) or stored.floating != tensor.is_floating_point():
            raise ValueError(
                f"{path}: {name} is {stored.kind} {stored.shape}, in the network that {described} names it is "
                f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
            )
    if unknown := [name for name in given if name not in wanted]:
        raise ValueError(f"{path} has a tensor {shown(unknown[0])} that the network of {described} lacks")
