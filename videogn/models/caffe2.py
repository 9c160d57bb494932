"""Caffe2's files (Detectron's `R-50-GN.pkl`, the Non-local release): pickles of numpy arrays, of which nothing is run.

A pickle is a program. This reader knows only the few constructors that a float array is written with, and replaces even
those by its own: no class or function that a file names is ever looked up, so none can be called.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

_CODE = re.compile(r"[fiu][1248]")


class _Dtype:
    """Stands for `numpy.dtype`: a plain number type and its byte order."""

    def __init__(self, code: str, *_: Any) -> None:
        if not _CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"arrays of type {code!r}")
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def array(self, data: Any) -> np.ndarray:
        """The numbers in `data`, one-dimensional; Python 2 wrote bytes that arrive as latin-1 text."""
        return np.frombuffer(_as_bytes(data), dtype=np.dtype(self.order + self.code))


class _Array:
    """Stands for `numpy.ndarray`, which is written as an empty array and then its state."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = dtype.array(data).reshape(shape, order="F" if fortran else "C")


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array without data")
    return bytes(data)


def _from_buffer(data: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.value = dtype.array(data).reshape(shape, order="F" if order == "F" else "C")
    return array


#: The numpy of the writer's time kept these functions in one of two places.
_NUMPY = ("numpy.core", "numpy._core")
_CONSTRUCTORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): lambda *_: _Array(),
    ("_codecs", "encode"): lambda text, _: _as_bytes(text),
    ("collections", "OrderedDict"): OrderedDict,
    **{(f"{core}.multiarray", "_reconstruct"): lambda *_: _Array() for core in _NUMPY},
    **{(f"{core}.multiarray", "scalar"): lambda dtype, data: dtype.array(data)[0].item() for core in _NUMPY},
    **{(f"{core}.numeric", "_frombuffer"): _from_buffer for core in _NUMPY},
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numbers, text, plain containers and arrays of numbers; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        make = _CONSTRUCTORS.get((module, name))
        if make is None:
            raise pickle.UnpicklingError(f"the name {module}.{name}")
        # A new function each time: a pickle can set attributes of what it is given, but not of anything that stays.
        return lambda *arguments: make(*arguments)

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a reference to something outside the file")


def read_caffe2(path: Path) -> dict[str, Tensor]:
    """Read the arrays of a Caffe2 weights file.

    Args:
        path: Pickle of {"blobs": {name: array}} or {name: array}, written by Python 2 or 3.

    Returns:
        Name -> tensor of the array's dtype, in the file's order.

    Raises:
        ValueError: It is no such file. Nothing that it names was run.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:  # damaged pickles raise a dozen types
        reason = str(error).splitlines()[0] if isinstance(error, pickle.UnpicklingError) and str(error) else "damage"
        raise ValueError(
            f"{path} is not a checkpoint: a Caffe2 file holds arrays of numbers only, this one holds {reason}, "
            "which is refused because a pickle can run code"
        ) from error
    # dict's own methods: a pickle can set attributes of the same names.
    blobs = dict.get(content, "blobs", content) if isinstance(content, dict) else None
    if not isinstance(blobs, dict):
        raise ValueError(f"{path} is not a file of weights (no blobs in it)")
    arrays = {str(name): blob.value for name, blob in dict.items(blobs) if isinstance(blob, _Array)}
    # A copy: the tensors must be writable, in the machine's byte order and without negative or odd strides.
    return {
        name: torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C", copy=True))
        for name, value in arrays.items()
        if value is not None
    }
