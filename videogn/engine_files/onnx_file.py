"""ONNX files, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.network import Run


def describe_onnx(path: Path) -> str | None:
    """Read the metadata of an ONNX file; None if it has none.

    Args:
        path: File.

    Raises:
        ValueError: onnxruntime cannot read it.
    """
    metadata: dict[str, str] = _session(path, optimised=False).get_modelmeta().custom_metadata_map
    return metadata.get(METADATA_KEY)


def open_onnx(path: Path) -> Run:
    """Open an ONNX file. Only operators of onnxruntime itself run; no library is loaded.

    Args:
        path: File.

    Returns:
        What runs its graph.

    Raises:
        ValueError: onnxruntime cannot read it.
    """
    session = _session(path, optimised=True)
    name = session.get_inputs()[0].name

    def run(clips: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: clips.numpy()})[0])

    return run


def _session(path: Path, *, optimised: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1  # the layers of a network follow one another
    # Threads that wait would otherwise take the cores from the processes that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of classes that onnxruntime does not export
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} is no ONNX file that onnxruntime can run: {reason}") from error
