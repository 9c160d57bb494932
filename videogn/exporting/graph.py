"""What is exported: a network, the size of its clips, the axes that stay free, and the text that travels with it."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sympy
import torch
import torch._meta_registrations as shape_rules
import torch.fx.experimental._config as tracing
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from videogn.evaluation.views import clip_probabilities
from videogn.video.transforms import normalise

#: Axes of clips (B, C, T, H, W) that may be free.
BATCH_ONLY = (0,)
ALL_SIZES = (0, 2, 3, 4)
_INEQUALITIES = (sympy.Ne, sympy.StrictLessThan, sympy.StrictGreaterThan)


@dataclass(frozen=True)
class Graph:
    """A network ready to be exported, and what its file has to give.

    Attributes:
        network: Module from normalised clips to logits, in evaluation mode on the CPU.
        size: Size (T, H, W) of its clips; where it is free, the usual one.
        dynamic: Axes of the clips (B, 3, T, H, W) that are free.
        mean: Mean of each channel, as a fraction of the full range.
        std: Standard deviation of each channel.
        preprocessing: Whether the file takes uint8 clips (B, T, H, W, 3) and gives probabilities (B, K).
        metadata: What the file says about itself, see `videogn.exporting.metadata`.
    """

    network: nn.Module
    size: tuple[int, int, int]
    dynamic: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    preprocessing: bool
    metadata: Mapping[str, Any]

    @property
    def input_name(self) -> str:
        """Name of the input in the file."""
        return str(self.metadata["input"]["name"])

    @property
    def output_name(self) -> str:
        """Name of the output in the file."""
        return str(self.metadata["output"]["name"])

    def prepared(self, clips: Tensor) -> Tensor:
        """Make the input of the file of clips, uint8 (B, 3, T, H, W)."""
        return clips.permute(0, 2, 3, 4, 1) if self.preprocessing else normalise(clips, self.mean, self.std)

    @torch.no_grad()
    def expected(self, clips: Tensor) -> Tensor:
        """Compute what the file should give for clips, uint8 (B, 3, T, H, W), as a test of the network does."""
        logits = self.network(normalise(clips, self.mean, self.std))
        return clip_probabilities(logits) if self.preprocessing else logits

    def program(self) -> ExportedProgram:
        """Trace the network with torch.export; example inputs are left out, since they would be stored."""
        module: nn.Module = (
            _WithPreprocessing(self.network, self.mean, self.std) if self.preprocessing else self.network
        )
        # Free axes are traced at another size than the usual one, where every layer leaves more than one position:
        # tracing takes the size 1 for a constant. Nothing is computed, and the zeros are never touched.
        size = (
            [2 * length + 32 * (axis + 1) for axis, length in enumerate(self.size)]
            if self.dynamic == ALL_SIZES
            else self.size
        )
        clips = self.prepared(torch.zeros(2, 3, *size, dtype=torch.uint8))
        free: dict[int, Any] = {_place(axis, self.preprocessing): Dim.DYNAMIC for axis in self.dynamic}
        # A size of 1 is no case of its own, and conditions on sizes become checks inside the program.
        oblivious = tracing.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
        with torch.no_grad(), oblivious, _any_remainder():
            program = torch.export.export(
                module.eval(),
                (clips,),
                dynamic_shapes=(free,),
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
        program.example_inputs = None
        _drop_checks_of_small_sizes(program)
        return program


def _place(axis: int, preprocessing: bool) -> int:
    """Where an axis of clips (B, C, T, H, W) is in the input of the file."""
    return "BTHWC".index("BCTHW"[axis]) if preprocessing else axis


@contextmanager
def _any_remainder() -> Iterator[None]:
    """Let a pooling layer round down without a question, as torch itself does from 2.13 at the latest.

    Up to 2.10 it asks whether the stride divides the size. The answer changes nothing, but tracing makes a check of it,
    and the file would refuse clips of every other length.
    """
    before = shape_rules.div_rtn
    shape_rules.div_rtn = operator.floordiv
    try:
        yield
    finally:
        shape_rules.div_rtn = before


def _drop_checks_of_small_sizes(program: ExportedProgram) -> None:
    """Take out the checks that something is not 0, or not 1.

    Convolutions ask it, of the number of their elements, to choose a memory layout. The result is the same, but the
    file would refuse clips so small that a layer leaves one position, which the network takes.
    """
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            condition = node.args[0].meta["val"].node.expr
            if condition.func in _INEQUALITIES and any(side in (0, 1) for side in condition.args):
                graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()


class _WithPreprocessing(nn.Module):
    """uint8 clips (B, T, H, W, 3) -> probabilities (B, K), as in evaluation: softmax per position, then their mean."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, frames: Tensor) -> Tensor:
        clips = ((frames.float() / 255 - self.mean) / self.std).permute(0, 4, 1, 2, 3)
        return self.network(clips).softmax(dim=1).mean(dim=(2, 3, 4))


def as_text(metadata: Mapping[str, Any]) -> str:
    """Write metadata as JSON."""
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False)
