"""torch.export: a .pt2 file, which torch runs without the code of the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from videogn.exporting.graph import METADATA_KEY, Graph


def to_program(graph: Graph) -> ExportedProgram:
    """Trace a graph.

    Args:
        graph: The graph.
    """
    return graph.program()


def save_program(program: ExportedProgram, path: Path, metadata: str) -> None:
    """Write a program.

    Args:
        program: The program.
        path: File to write; its suffix has to be .pt2.
        metadata: Text to store in the extra file `METADATA_KEY`.
    """
    torch.export.save(program, path, extra_files={METADATA_KEY: metadata})


def run_program(path: Path) -> Callable[[Tensor], Tensor]:
    """Open a .pt2 file, on the CPU.

    Args:
        path: File.

    Returns:
        Function from the input of the file to its output.
    """
    module = torch.export.load(path).module()
    return torch.no_grad()(lambda clips: module(clips))


def program_metadata(path: Path) -> str:
    """Read the text that `save_program` stored.

    Args:
        path: File.
    """
    extra = {METADATA_KEY: ""}
    torch.export.load(path, extra_files=extra)
    text = extra[METADATA_KEY]
    return text.decode() if isinstance(text, bytes) else text
