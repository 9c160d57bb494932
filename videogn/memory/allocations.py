"""A record of every tensor storage that is made and freed while code runs on tensors without storage."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves

#: Kind of storages without a label: made and freed within the forward pass, or within the backward pass.
TEMPORARIES = "temporaries"


@dataclass(eq=False)
class _Allocation:
    nbytes: int
    kind: str = TEMPORARIES


class AllocationLog(FakeTensorMode):
    """Context in which tensors have shapes and no numbers, and their storages are recorded.

    The results of all operations are seen, those of the backward pass too. Memory that a kernel takes for itself and
    frees before it returns is not seen. Views and in-place operations share a storage, which counts once. Every number
    that is read from a tensor (by `item`) is 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changes: list[tuple[_Allocation, int]] = []  # +1 allocated, -1 freed
        self._alive: dict[int, _Allocation] = {}  # by the identity of the storage
        self._within = False  # an operation, whose parts are not seen either

    def dispatch(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = {}) -> Any:
        """Run an operation and record its results."""
        if func is torch.ops.prim.device.default:  # half of all operations
            return args[0].fake_device
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0 if args[0].is_floating_point() else 1
        if self._within:
            return super().dispatch(func, types, args, kwargs)
        self._within = True
        try:
            result = super().dispatch(func, types, args, kwargs)
        finally:
            self._within = False
        for leaf in (result,) if isinstance(result, Tensor) else tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._record(leaf)
        return result

    @property
    def now(self) -> int:
        """The time, in allocations and frees."""
        return len(self._changes)

    def label(self, kind: str, tensors: Iterable[Tensor]) -> None:
        """Set the kind of living tensors."""
        for tensor in tensors:
            self._alive[id(tensor.untyped_storage())].kind = kind

    def label_others(self, kind: str) -> None:
        """Set the kind of all living tensors without a label."""
        for allocation in self._alive.values():
            if allocation.kind == TEMPORARIES:
                allocation.kind = kind

    def alive(self) -> Counter[str]:
        """Return kind -> bytes at this moment."""
        kinds: Counter[str] = Counter()
        for allocation in self._alive.values():
            kinds[allocation.kind] += allocation.nbytes
        return kinds

    def changes(self, since: int) -> list[tuple[str, int]]:
        """Return (kind, bytes) of every allocation since a time, and of every free with negative bytes."""
        return [(allocation.kind, sign * allocation.nbytes) for allocation, sign in self._changes[since:]]

    def _record(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._alive:
            return
        allocation = _Allocation(storage.nbytes())
        self._changes.append((allocation, 1))
        self._alive[id(storage)] = allocation
        # PyTorch keeps the Python object of a storage as long as the storage itself.
        weakref.finalize(storage, self._free, id(storage)).atexit = False

    def _free(self, key: int) -> None:
        self._changes.append((self._alive.pop(key), -1))
