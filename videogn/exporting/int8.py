"""Exported files in 8-bit integers: weights and activations, scaled by what calibration clips go through."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from videogn.choices import ExportFormatName
from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.onnx_file import describe_onnx
from videogn.exporting.export import export
from videogn.exporting.formats import require_packages
from videogn.system.files import replacing

#: Operators that compute in 8 bits. Sums are those of the residual connections: what stays in 8 bits between two
#: convolutions need not be converted.
_IN_8_BITS = ["Conv", "Gemm", "MatMul", "MaxPool", "Relu", "Add"]
#: Formats that can hold a network in 8 bits.
INT8_FORMATS = ("onnx", "openvino")


def export_int8(source: str | Path, form: ExportFormatName, out: Path, clips: Sequence[Tensor]) -> None:
    """Write a network with layers in 8 bits.

    Args:
        source: Source of the network, as `load_network` takes it.
        form: "onnx" or "openvino".
        out: File to write.
        clips: Normalised clips (1, 3, T, H, W) to calibrate on, such as the network will see.

    Raises:
        ValueError: The format holds no such networks here, or there are no clips.
        ModuleNotFoundError: A package that the format needs is missing.
    """
    if form not in INT8_FORMATS:
        raise ValueError(f"--int8 works with --format {' and '.join(INT8_FORMATS)}, got {form}")
    require_packages(form)
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        export(source, "onnx", plain)
        quantise(plain, small, clips)
        if form == "onnx":
            with replacing(out) as temporary:
                shutil.copyfile(small, temporary)
        else:
            _save_openvino(small, out)


def _save_openvino(source: Path, out: Path) -> None:
    import openvino

    model = openvino.convert_model(source)
    model.set_rt_info(describe_onnx(source), METADATA_KEY)
    openvino.save_model(model, out, compress_to_fp16=False)


def quantise(source: Path, out: Path, inputs: Sequence[Tensor]) -> None:
    """Write an ONNX file in which layers compute in 8 bits: weights int8 channel by channel, activations uint8.

    The scales are fixed ("static"); the file says with QuantizeLinear and DequantizeLinear what is in 8 bits
    ("QDQ"), so that every engine can choose its own kernels. The metadata names the quantisation.

    Args:
        source: ONNX file that `videogn export` has written.
        out: File to write.
        inputs: Inputs of the file, such as it will see; the smallest and largest values of each layer count.

    Raises:
        ValueError: There are none.
    """
    from onnx import load, save
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    if not inputs:
        raise ValueError("int8 needs calibration clips, got none")
    exported = load(source)
    entries = {entry.key: entry.value for entry in exported.metadata_props}
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        quantised = Path(folder) / "int8.onnx"
        quantize_static(
            exported,
            quantised,
            _Reader(inputs, exported.graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_IN_8_BITS,
            nodes_to_exclude=_affine_nodes(exported.graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        model = load(quantised)
    entries[METADATA_KEY] = _described(entries[METADATA_KEY], len(inputs))
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    save(model, out)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out the warnings that recommend a step which torch's exporter has already done, merging norms."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _affine_nodes(graph: Any) -> list[str]:
    """The sums with a constant, which norms end with: they follow float32 and are no place to lose precision."""
    constants = {each.name for each in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "Add" and constants & set(node.input)]


class _Reader:
    """The calibration clips, in the form that onnxruntime asks for."""

    def __init__(self, inputs: Sequence[Tensor], name: str) -> None:
        self._inputs: Iterator[dict[str, np.ndarray]] = ({name: each.numpy()} for each in inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


def _described(text: str, clips: int) -> str:
    metadata: dict[str, Any] = json.loads(text)
    metadata["quantisation"] = {"weights": "int8 per channel", "activations": "uint8", "calibration_clips": clips}
    return json.dumps(metadata, ensure_ascii=False)
