"""ONNX: one file that onnxruntime and many others run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.onnx import ONNXProgram

from videogn.engine_files.description import METADATA_KEY
from videogn.exporting.graph import Graph


def to_onnx(graph: Graph) -> ONNXProgram:
    """Translate a graph to ONNX.

    Args:
        graph: The graph.
    """
    exported = torch.onnx.export(
        graph.program(),
        dynamo=True,
        input_names=[graph.input_name],
        output_names=[graph.output_name],
        external_data=False,
        verbose=False,
    )
    assert exported is not None  # it is with `dynamo`
    return exported


def save_onnx(exported: ONNXProgram, path: Path, metadata: str) -> None:
    """Write what `to_onnx` made: one file, and beside it a second one only for weights of more than 2 GB.

    Args:
        exported: The network in ONNX.
        path: File to write.
        metadata: Text to store under `METADATA_KEY` in `metadata_props`.
    """
    exported.model.metadata_props[METADATA_KEY] = metadata
    exported.save(path)
