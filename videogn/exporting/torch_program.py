"""torch.export: a .pt2 file, which torch runs without the code of the network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.export import ExportedProgram

from videogn.engine_files.description import METADATA_KEY
from videogn.exporting.graph import Graph


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
