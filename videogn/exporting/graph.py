"""What is exported: a network, clips to trace it with, the axes that stay free, and the text that travels with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

#: Key of the metadata in an exported file, a JSON text.
METADATA_KEY = "videogn"


@dataclass(frozen=True)
class Graph:
    """A network ready to be exported.

    Attributes:
        network: Module from clips to logits (B, K, T', H', W'), in evaluation mode on the CPU.
        clips: Clips to trace the network with, (B, 3, T, H, W), float32.
        dynamic: Axes of the clips whose size is free.
        metadata: What the file says about itself, see `videogn.exporting.metadata`.
    """

    network: nn.Module
    clips: Tensor
    dynamic: tuple[int, ...]
    metadata: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The metadata as a JSON text."""
        return json.dumps(self.metadata, ensure_ascii=False, allow_nan=False)

    @property
    def input_name(self) -> str:
        """Name of the input in the file."""
        return str(self.metadata["input"]["name"])

    @property
    def output_name(self) -> str:
        """Name of the output in the file."""
        return str(self.metadata["output"]["name"])

    def program(self) -> ExportedProgram:
        """Trace the network with torch.export."""
        free = dict.fromkeys(self.dynamic, Dim.DYNAMIC)
        with torch.no_grad():
            return torch.export.export(self.network, (self.clips,), dynamic_shapes=(free,), strict=False)
