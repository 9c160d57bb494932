"""ONNX: one file that onnxruntime and many others run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.onnx import ONNXProgram

from videogn.exporting.graph import METADATA_KEY, Graph


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


def run_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """Open an ONNX file with onnxruntime, on the CPU.

    Args:
        path: File.

    Returns:
        Function from the input of the file to its output.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (name,) = (node.name for node in session.get_inputs())
    return lambda clips: torch.from_numpy(session.run(None, {name: clips.numpy()})[0])


def onnx_metadata(path: Path) -> str:
    """Read the text that `save_onnx` stored.

    Args:
        path: File.
    """
    import onnx

    entries = onnx.load(path, load_external_data=False).metadata_props
    return next((entry.value for entry in entries if entry.key == METADATA_KEY), "")
