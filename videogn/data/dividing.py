"""Groups of videos to train, val and test, in given shares of every class; a group stays on one side.

What is made small is chi-square: over sides and classes, and once more over sides and all videos, the sum of
(n - wanted)^2 / wanted, with n videos of a class on a side where its share were `wanted`. The largest group is placed
first, each where it costs least; of groups of equal size, the seed says which comes first. Then groups are moved, and
while there are few exchanged, as long as that helps. Without groups, each class is divided by Sainte-Lague's rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

#: Most groups for which every exchange of two is tried.
_EXCHANGED = 1000
#: Most rounds of moves; each makes chi-square smaller, and few are needed.
_ROUNDS = 20
#: Smallest gain that counts, so that rounding makes no round.
_GAIN = 1e-6


def divide_groups(
    groups: NDArray[np.int64], labels: csr_array, shares: Sequence[float], names: Sequence[bytes], seed: int = 0
) -> NDArray[np.int64]:
    """Choose a side for every video.

    Args:
        groups: Group of each video, (N,), numbers from 0 without gaps.
        labels: 1 where a video has a class, sparse (N, K).
        shares: Share of each side, > 0; they add up to 1.
        names: Name of each group, on which the choice depends, and not on their order.
        seed: Seed of the order of groups of equal size. Default: 0.

    Returns:
        Side of each video, (N,), from 0 on.
    """
    members = csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))))
    counts = (members @ labels).tocsr()
    sizes = np.bincount(groups).astype(float)
    totals = np.append(counts.sum(axis=0), len(groups))
    division = _Division(counts, sizes, np.outer(shares, totals))
    drawn = [hashlib.sha256(f"{seed}\t".encode() + name).digest() for name in names]
    order = sorted(range(len(sizes)), key=lambda group: (-sizes[group], drawn[group]))
    for group in order:
        division.place(group)
    for _ in range(_ROUNDS):
        moved = sum([division.move(group) for group in order])
        exchanged = len(sizes) <= _EXCHANGED and division.exchange_best()
        if not moved and not exchanged:
            break
    return division.sides[groups]


class _Division:
    """Groups on their sides.

    Attributes:
        sides: Side of each group; -1 where it has none yet.
    """

    def __init__(self, counts: csr_array, sizes: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
        self.sides = np.full(len(sizes), -1)
        self._counts, self._sizes = counts, sizes
        self._weights = 1 / np.maximum(wanted, _GAIN)  # a class that no video has is wanted nowhere
        self._excess = -wanted  # videos too many, (sides, classes and all)

    def place(self, group: int) -> None:
        """Put a group where it costs least."""
        columns, numbers = self._row(group)
        self._put(group, int(np.argmin(self._costs(columns, numbers))))

    def move(self, group: int) -> bool:
        """Put a group elsewhere if that costs less; return whether it did."""
        columns, numbers = self._row(group)
        here = int(self.sides[group])
        self._excess[here, columns] -= numbers
        costs = self._costs(columns, numbers)
        there = int(np.argmin(costs))
        better = bool(costs[there] < costs[here] - _GAIN)
        self._put(group, there if better else here)
        return better

    def exchange_best(self) -> bool:
        """Exchange the two groups for which that helps most; return whether there are any."""
        counts = np.column_stack([self._counts.toarray(), self._sizes])
        best, pair = -_GAIN, None
        for one in range(len(self._excess)):
            for other in range(one):
                gains = self._exchange_costs(counts, one, other)
                if gains.size and gains.min() < best:
                    best = gains.min()
                    place = np.unravel_index(gains.argmin(), gains.shape)
                    pair = [
                        np.flatnonzero(self.sides == side)[at] for side, at in zip((one, other), place, strict=True)
                    ]
        if pair is None:
            return False
        sides = self.sides[pair]
        for group, side, there in zip(pair, sides, sides[::-1], strict=True):
            columns, numbers = self._row(group)
            self._excess[side, columns] -= numbers
            self._put(group, int(there))
        return True

    def _exchange_costs(self, counts: NDArray[np.float64], one: int, other: int) -> NDArray[np.float64]:
        """What chi-square gains by every exchange of a group of one side (rows) and one of another (columns).

        With d more videos on the one side and as many fewer on the other, excess e becomes e + d and e - d.
        """
        here, there = counts[self.sides == one], counts[self.sides == other]
        slope = 2 * (self._excess[one] * self._weights[one] - self._excess[other] * self._weights[other])
        curve = self._weights[one] + self._weights[other]
        linear = (there @ slope)[None, :] - (here @ slope)[:, None]
        squares = (here**2 @ curve)[:, None] + (there**2 @ curve)[None, :] - 2 * (here * curve) @ there.T
        return linear + squares

    def _row(self, group: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Columns of a group, its classes and all, and its videos in each."""
        start, stop = self._counts.indptr[group : group + 2]
        columns = np.append(self._counts.indices[start:stop], self._counts.shape[1])
        return columns, np.append(self._counts.data[start:stop], self._sizes[group])

    def _costs(self, columns: NDArray[np.int64], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """What chi-square gains by more videos, (sides,)."""
        return ((2 * self._excess[:, columns] + numbers) * self._weights[:, columns]) @ numbers

    def _put(self, group: int, side: int) -> None:
        columns, numbers = self._row(group)
        self._excess[side, columns] += numbers
        self.sides[group] = side
