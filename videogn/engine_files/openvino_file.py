"""OpenVINO's files, .xml with a .bin beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.network import Run


def describe_openvino(path: Path) -> str | None:
    """Read the metadata of a file of OpenVINO; None if it has none.

    Args:
        path: File, .xml.

    Raises:
        ValueError: OpenVINO cannot read it.
    """
    import openvino

    with _one_line(path):
        model = openvino.Core().read_model(path)
    return model.get_rt_info(METADATA_KEY).astype(str) if model.has_rt_info(METADATA_KEY) else None


def open_openvino(path: Path) -> Run:
    """Open a file of OpenVINO. It computes in float32, also on processors where it would choose bfloat16 by itself.

    Args:
        path: File, .xml.

    Returns:
        What runs its graph.

    Raises:
        ValueError: OpenVINO cannot read it.
    """
    import openvino

    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    with _one_line(path):
        compiled = openvino.Core().compile_model(path, "CPU", settings)

    def run(clips: Tensor) -> Tensor:
        return torch.from_numpy(compiled(clips.numpy())[0].copy())

    return run


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Say what OpenVINO says in its last line; those before it are places in its source."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"{path} is no file that OpenVINO can run: {reason}") from error
