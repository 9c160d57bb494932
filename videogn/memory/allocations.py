"""A record of every tensor storage that is made and freed while code runs on tensors without storage."""

from __future__ import annotations

import math
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager

#: Kind of storages without a label: made and freed within the forward pass, or within the backward pass.
TEMPORARIES = "temporaries"
#: What is read from a tensor of a dtype; 1 from others.
_READ = {torch.bool: False, **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32, torch.float64), 1.0)}

#: Backward passes of norms -> the arguments whose shapes their gradients have; the last argument says which are wanted.
#: PyTorch works these shapes out by hundreds of operations, which takes most of the time of a small plan.
_GRADIENTS_OF = {
    torch.ops.aten.native_group_norm_backward.default: (1, 4, 4),
    torch.ops.aten.native_batch_norm_backward.default: (1, 2, 2),
}


@dataclass(eq=False)
class _Allocation:
    nbytes: int
    kind: str = TEMPORARIES


@dataclass(frozen=True)
class _Like:
    """Shape, strides and dtype of a tensor."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def empty(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")


def _like(tensor: Tensor) -> _Like:
    return _Like(tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _map(function: Callable[[Any], Any], result: Any, kind: type) -> Any:
    """Apply a function to an operation's result, or to all of several, where they are of a kind."""
    if isinstance(result, kind):
        return function(result)
    if isinstance(result, list | tuple):
        parts = [_map(function, part, kind) for part in result]
        return parts if isinstance(result, list) else tuple(parts)
    return result


def _described(value: Any) -> Any:
    """All that the result of an operation can depend on, as a key."""
    if isinstance(value, Tensor):
        return (value.shape, value.stride(), value.dtype)
    if isinstance(value, list | tuple):
        return tuple(map(_described, value))
    return (type(value), value)  # 1, 1.0 and True are equal


class AllocationLog(FakeTensorMode):
    """Context in which tensors have shapes and no numbers, and their storages are recorded.

    The results of all operations are seen, those of the backward pass too. Memory that a kernel takes for itself and
    frees before it returns is not seen. Views and in-place operations share a storage, which counts once. Every number
    that is read from a tensor (by `item`) is 1, and every truth value False: PyTorch's truncated normal distribution
    draws again while any value is out of bounds.

    Args:
        known: Results of operations by their arguments. A network repeats itself, and so do modes and norms: logs that
            share the dictionary are several times as fast as PyTorch's own cache. Default: an empty one.
        seconds: Processor time after which the next new operation raises TimeoutError. Default: any.
    """

    def __init__(self, known: dict[Any, Any] | None = None, *, seconds: float = math.inf) -> None:
        super().__init__()
        self._end = time.process_time() + seconds
        self._known = {} if known is None else known
        self._changes: list[tuple[_Allocation, int]] = []  # +1 allocated, -1 freed
        self._alive: dict[int, _Allocation] = {}  # by the identity of the storage
        self._within = False  # an operation, whose parts are not seen either

    def dispatch(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, or repeat a known one, and record its results."""
        if func is torch.ops.prim.device.default:  # half of all operations
            return args[0].fake_device
        if func is torch.ops.aten._local_scalar_dense.default:
            return _READ.get(args[0].dtype, 1)
        if self._within:
            return super().dispatch(func, types, args, kwargs or {})
        self._within = True
        try:
            result = self._result(func, types, args, kwargs or {})
        finally:
            self._within = False
        _map(self._record, result, Tensor)
        return result

    def _result(self, func: Any, types: Sequence[type], args: Any, kwargs: Any) -> Any:
        if func.namespace != "aten" or func is torch.ops.aten.lift_fresh.default:
            return super().dispatch(func, types, args, kwargs)
        in_place = any(returned.alias_info is not None for returned in func._schema.returns)  # or a view
        if in_place or func is torch.ops.aten._unsafe_view.default:  # which its schema does not call a view
            with in_kernel_invocation_manager(self):
                result = func(*args, **kwargs)
            return _map(self._wrapped, result, Tensor)
        key = (func, _described(args), _described(tuple(kwargs.items())))
        if key not in self._known and func in _GRADIENTS_OF:
            inputs = zip(_GRADIENTS_OF[func], args[-1], strict=True)
            self._known[key] = tuple(_like(args[place]) if wanted else None for place, wanted in inputs)
        if key not in self._known:
            if time.process_time() > self._end:
                raise TimeoutError("the plan of the training step takes too long")
            result = super().dispatch(func, types, args, kwargs)
            self._known[key] = _map(_like, result, Tensor)
            return result
        return _map(lambda like: FakeTensor(self, like.empty(), "cpu"), self._known[key], _Like)

    def _wrapped(self, tensor: Tensor) -> Tensor:
        return tensor if isinstance(tensor, FakeTensor) else FakeTensor(self, tensor, "cpu")

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
