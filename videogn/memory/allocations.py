"""A record of every tensor storage that is made while some code runs: how large, when made, when freed, what for."""

from __future__ import annotations

import itertools
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: What has no other kind: made and freed within the forward pass, or within the backward pass.
TEMPORARIES = "temporaries"


@dataclass(eq=False)
class _Allocation:
    nbytes: int
    born: int
    died: int | None = None  # None: alive
    kind: str = TEMPORARIES


class AllocationLog(TorchDispatchMode):
    """Context in which the storages of all results of all operations are recorded, those of the backward pass too.

    It sees what the operations return. Memory that a kernel takes for itself and frees before it returns is not seen.
    Views and in-place operations share a storage, which counts once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._allocations: list[_Allocation] = []
        self._alive: dict[int, _Allocation] = {}  # by the identity of the storage
        self._clock = 0  # counts allocations and frees

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and record what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._record(leaf)
        return result

    @property
    def now(self) -> int:
        """The time: allocations and frees so far."""
        return self._clock

    def label(self, kind: str, tensors: Iterable[Tensor]) -> None:
        """Say what living tensors are for."""
        for tensor in tensors:
            self._alive[id(tensor.untyped_storage())].kind = kind

    def label_others(self, kind: str) -> None:
        """Say what everything is for that is alive and has no kind yet."""
        for allocation in self._alive.values():
            if allocation.kind == TEMPORARIES:
                allocation.kind = kind

    def bytes_of(self, kind: str) -> int:
        """All bytes ever allocated of a kind."""
        return sum(allocation.nbytes for allocation in self._allocations if allocation.kind == kind)

    def at_peak(self, since: int) -> Counter[str]:
        """Find the moment at which most was allocated.

        Args:
            since: the first moment that counts, a value of `now`.

        Returns:
            Kind -> bytes at the peak.
        """
        changes: dict[int, int] = {}
        for allocation in self._allocations:
            changes[allocation.born] = allocation.nbytes
            if allocation.died is not None:
                changes[allocation.died] = -allocation.nbytes
        total = list(itertools.accumulate(changes[time] for time in range(self._clock)))
        peak = max(range(since, self._clock), key=total.__getitem__)
        kinds: Counter[str] = Counter()
        for allocation in self._allocations:
            if allocation.born <= peak and (allocation.died is None or allocation.died > peak):
                kinds[allocation.kind] += allocation.nbytes
        return kinds

    def _record(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._alive:
            return
        allocation = _Allocation(storage.nbytes(), self._tick())
        self._allocations.append(allocation)
        self._alive[id(storage)] = allocation
        # PyTorch keeps a storage's Python object as long as the storage itself.
        weakref.finalize(storage, self._free, id(storage)).atexit = False

    def _free(self, key: int) -> None:
        self._alive.pop(key).died = self._tick()

    def _tick(self) -> int:
        self._clock += 1
        return self._clock - 1
