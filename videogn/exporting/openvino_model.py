"""OpenVINO: an .xml file of the graph and a .bin file of the weights beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from videogn.engine_files.description import METADATA_KEY
from videogn.exporting.graph import Graph


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
