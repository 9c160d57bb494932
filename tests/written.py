"""Small networks as files of each format, written here with the formats' own packages."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

ABOUT = {
    "arch": "own",
    "norm": "none",
    "norm_options": None,
    "class_names": ["a", "b", "c", "d", "e"],
    "clip_length": 4,
    "interval": 1,
    "crop_size": 8,
    "short_side": 8,
    "mean": [0.4, 0.45, 0.5],
    "std": [0.2, 0.225, 0.25],
    "fps": None,
    "num_clips": None,
    "crops": "full",
    "clips_per_forward": 3,
}


class Logits(nn.Module):
    """Normalised clips -> logits at every position."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 5, (2, 3, 3), padding=(0, 1, 1), stride=(1, 2, 2))

    def forward(self, clips: Tensor) -> Tensor:
        return self.conv(clips) * 3


class Probabilities(nn.Module):
    """Pixels, channels last -> probabilities."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(ABOUT["mean"]).view(3, 1, 1, 1))
        self.register_buffer("std", torch.tensor(ABOUT["std"]).view(3, 1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        clips = (pixels.permute(0, 4, 1, 2, 3).float() / 255 - self.mean) / self.std
        return self.net(clips).softmax(1).mean((2, 3, 4))


def metadata(*, pixels: bool = False, size: dict[str, int] | None = None, about: dict[str, Any] = ABOUT) -> str:
    """The text of a file whose axes are free, but for those in `size`."""
    layout, dtype = ("BTHWC", "uint8") if pixels else ("BCTHW", "float32")
    output = {"name": "probabilities", "layout": "BK"} if pixels else {"name": "logits", "layout": "BKTHW"}
    sizes = {axis: {"C": 3, **(size or {})}.get(axis) for axis in "BCTHW"}
    given = {"layout": layout, "dtype": dtype, "size": sizes, "crops": "center" if size else "full"}
    return json.dumps({"about": about, "input": given, "output": output})


@functools.cache
def _program(net: nn.Module, pixels: bool, free: bool) -> ExportedProgram:
    """Trace a network, once for the files of all formats."""
    clips = torch.zeros(2, 4, 8, 8, 3, dtype=torch.uint8) if pixels else torch.zeros(2, 3, 4, 8, 8)
    axes = (0, 1, 2, 3) if pixels else (0, 2, 3, 4)
    shapes = (dict.fromkeys(axes, Dim.AUTO),) if free else None
    with torch.no_grad():
        return torch.export.export(net.eval(), (clips,), dynamic_shapes=shapes)


def write(path: Path, net: nn.Module, text: str | None, *, pixels: bool = False, free: bool = True) -> Path:
    """Write a network to a file of the format that its suffix says; with `free` False for two clips of 4 x 8 x 8."""
    program = _program(net, pixels, free)
    extra = {} if text is None else {"videogn": text}
    if path.suffix == ".pt2":
        torch.export.save(program, path, extra_files=extra)
        return path
    if path.suffix == ".onnx":
        pytest.importorskip("onnxscript")
        exported = torch.onnx.export(program, dynamo=True, verbose=False)
        assert exported is not None
        exported.model.metadata_props.update(extra)
        exported.save(path)
        return path
    openvino = pytest.importorskip("openvino")
    model = openvino.convert_model(program)
    for key, value in extra.items():
        model.set_rt_info(value, key)
    openvino.save_model(model, path, compress_to_fp16=False)
    return path
