"""Exported files in 8-bit integers: weights and activations, scaled by what calibration clips go through."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from videogn.choices import ExportFormatName
from videogn.engine_files import describe_engine, open_engine
from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.onnx_file import describe_onnx
from videogn.evaluation.views import clip_probabilities
from videogn.exporting.export import Exported, export
from videogn.exporting.formats import check_suffix, require_packages
from videogn.exporting.quiet import quiet
from videogn.system.files import replacing_together

#: Operators that compute in 8 bits. Sums are those of the residual connections: what stays in 8 bits between two
#: convolutions need not be converted.
_IN_8_BITS = ["Conv", "Gemm", "MatMul", "MaxPool", "Relu", "Add"]
#: Formats that can hold a network in 8 bits.
INT8_FORMATS: tuple[ExportFormatName, ...] = ("onnx", "openvino")


@dataclass(frozen=True)
class Int8Agreement:
    """How far a network in 8 bits is from itself in float32, over the calibration clips.

    Attributes:
        clips: Number of clips.
        same_top1: Number of clips with the same best class.
        max_difference: Largest difference of a logit; of a file that gives probabilities, of their logarithms.
        share: Size of the file, as a share of that in float32.
    """

    clips: int
    same_top1: int
    max_difference: float
    share: float


def export_int8(
    source: str | Path, form: ExportFormatName, out: Path, clips: Sequence[Tensor], **options: Any
) -> tuple[Exported, Int8Agreement]:
    """Write a network with layers in 8 bits.

    Args:
        source: Source of the network, as `load_network` takes it.
        form: "onnx" or "openvino".
        out: File to write.
        clips: Normalised clips (1, 3, T, H, W) to calibrate on, such as the network will see.
        **options: Options of `videogn.exporting.export.export`.

    Returns:
        What was written before in float32, and how far the file in 8 bits is from it, which is in its metadata too.

    Raises:
        ValueError: The format holds no such networks here, `out` has another suffix, or there are no clips.
        ModuleNotFoundError: A package that the format needs is missing.
    """
    _require(form, out)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "float32.onnx")
        made = export(source, "onnx", plain, **options)
        return made, write_int8(plain, form, out, clips)


def write_int8(plain: Path, form: ExportFormatName, out: Path, clips: Sequence[Tensor]) -> Int8Agreement:
    """Write an exported network with layers in 8 bits.

    Args:
        plain: ONNX file that `videogn export` has written, in float32.
        form: "onnx" or "openvino".
        out: File to write.
        clips: Normalised clips (1, 3, T, H, W) to calibrate on, such as the network will see.

    Returns:
        How far the file is from that in float32, which is in its metadata too.

    Raises:
        ValueError: The format holds no such networks here, `out` has another suffix, or there are no clips.
        ModuleNotFoundError: A package that the format needs is missing.
    """
    _require(form, out)
    with replacing_together(out) as temporary, tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "int8.onnx")
        described = describe_engine(plain)
        model = quantised(plain, [described.prepared(clip) for clip in clips])
        _save(model, small, {})
        found = _compared(plain, small, clips)
        facts = {"weights": "int8 per channel", "activations": "uint8", **asdict(found)}
        _save(model, temporary if form == "onnx" else small, {"quantisation": facts})
        if form == "openvino":
            _save_openvino(small, temporary)
    return found


def _require(form: ExportFormatName, out: Path) -> None:
    if form not in INT8_FORMATS:
        raise ValueError(f"int8 needs the format {' or '.join(INT8_FORMATS)}, got {form}")
    for each in dict.fromkeys(("onnx", form)):
        require_packages(each)
    check_suffix(form, out)


def _compared(plain: Path, small: Path, clips: Sequence[Tensor]) -> Int8Agreement:
    before, after = open_engine(plain), open_engine(small)
    pairs = [(before(clip), after(clip)) for clip in clips]
    return Int8Agreement(
        clips=len(pairs),
        same_top1=sum(int(clip_probabilities(a).argmax()) == int(clip_probabilities(b).argmax()) for a, b in pairs),
        max_difference=max(float((a - b).abs().max()) for a, b in pairs),
        share=small.stat().st_size / plain.stat().st_size,
    )


def _save(model: Any, path: Path, facts: dict[str, Any]) -> None:
    """Write an ONNX model, with further facts in its metadata."""
    import onnx

    (entry,) = (entry for entry in model.metadata_props if entry.key == METADATA_KEY)
    entry.value = json.dumps({**json.loads(entry.value), **facts}, ensure_ascii=False)
    onnx.save(model, path)


def _save_openvino(source: Path, out: Path) -> None:
    import openvino

    model = openvino.convert_model(source)
    model.set_rt_info(describe_onnx(source), METADATA_KEY)
    openvino.save_model(model, out, compress_to_fp16=False)


def quantised(source: Path, inputs: Sequence[Tensor]) -> Any:
    """Make an ONNX model in which layers compute in 8 bits: weights int8 channel by channel, activations uint8.

    The scales are fixed ("static"), and nodes QuantizeLinear and DequantizeLinear ("QDQ") say what is in 8 bits, so
    that every engine can choose its own kernels.

    Args:
        source: ONNX file that `videogn export` has written.
        inputs: Inputs of the file, such as it will see; the smallest and largest values of each layer count.

    Returns:
        The model, with the metadata of the file.

    Raises:
        ValueError: There are no inputs.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    if not inputs:
        raise ValueError("int8 needs calibration clips, got none")
    exported = onnx.load(source)
    entries = {entry.key: entry.value for entry in exported.metadata_props}
    with tempfile.TemporaryDirectory() as folder, quiet():
        out = Path(folder, "int8.onnx")
        quantize_static(
            exported,
            out,
            _Reader(inputs, exported.graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_IN_8_BITS,
            nodes_to_exclude=_affine_nodes(exported.graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        model = onnx.load(out)
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    return model


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
