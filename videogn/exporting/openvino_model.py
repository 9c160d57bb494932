"""OpenVINO: an .xml file of the graph and a .bin file of the weights beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videogn.exporting.graph import METADATA_KEY, Graph


def to_openvino(graph: Graph) -> Any:
    """Translate a graph to OpenVINO.

    Args:
        graph: The graph.

    Returns:
        The `openvino.Model`, weights in float32.
    """
    import openvino

    model = openvino.convert_model(graph.program())
    model.inputs[0].set_names({graph.input_name})
    model.outputs[0].set_names({graph.output_name})
    return model


def save_openvino(model: Any, path: Path, metadata: str) -> None:
    """Write a model: `path`, and its weights beside it with the suffix .bin.

    Args:
        model: The `openvino.Model`.
        path: File to write; its suffix has to be .xml.
        metadata: Text to store under `METADATA_KEY` in the runtime information.
    """
    import openvino

    model.set_rt_info(metadata, METADATA_KEY)
    openvino.save_model(model, path, compress_to_fp16=False)


def run_openvino(path: Path) -> Callable[[Tensor], Tensor]:
    """Open an OpenVINO model on the CPU, computing in float32.

    Args:
        path: File .xml.

    Returns:
        Function from the input of the file to its output.
    """
    import openvino

    # Without the hint, processors that can compute in bfloat16.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda clips: torch.from_numpy(compiled(clips.numpy())[0].copy())


def openvino_metadata(path: Path) -> str:
    """Read the text that `save_openvino` stored.

    Args:
        path: File .xml.
    """
    import openvino

    return str(openvino.Core().read_model(path).get_rt_info(METADATA_KEY).astype(str))
