"""Videos that show the same scene moving in the same way: copies in another size, quality, brightness or cut.

Two videos are near-duplicates if
- they show the same: their mean pictures correlate, and
- they move alike: at some shift in time, by which the beginning of one may be cut, the differences of the frames from
  their mean correlate over the time that both have. Videos of one fixed camera show the same, but move differently.

A video without movement is one of a picture, and compared by it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.video.signature import MOST, Signature

#: Correlation of mean pictures from which two videos are compared further, and that of two without movement.
_SAME_PICTURE = 0.8
_SAME_STILL = 0.995
#: Correlation of movements from which they are the same; docs/data.md says what it finds, and what it calls alike.
_SAME_MOVEMENT = 0.75
#: Standard deviation over time, in grey levels, below which there is no movement: less is the noise of a codec.
_MOVES = 0.25
#: Least overlap of two videos: this share of the shorter one, and so many samples.
_OVERLAP = 0.5
_LEAST = 4
_PICTURES_AT_ONCE = 4096
_PAIRS_AT_ONCE = 512


class NearDuplicates(NamedTuple):
    """Two videos that are alike: their positions, the first before the second, and their correlation, up to 1."""

    first: int
    second: int
    similarity: float


def find_near_duplicates(
    signatures: Sequence[Signature | None],
    sides: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NearDuplicates]:
    """Find the pairs of videos that are alike.

    Args:
        signatures: Signature of each video, float32 (T, 64); None for a video that is not compared.
        sides: Number of the split of each video; only videos of different ones are compared. Default: all pairs.
        progress: Called with (videos compared, videos).

    Returns:
        The pairs in the order of their positions.
    """
    known = np.array([place for place, each in enumerate(signatures) if each is not None], np.int64)
    videos = _Videos([each for each in signatures if each is not None])
    of_side = None if sides is None else np.asarray(sides)[known]
    found = []
    for done, pairs in _similar_pictures(videos, of_side):
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[start : start + _PAIRS_AT_ONCE]
            alike = videos.similarity(part)
            same = np.flatnonzero(alike >= _SAME_MOVEMENT)
            found += [(*known[part[place]].tolist(), float(alike[place])) for place in same]
        progress(done, len(known))
    return [NearDuplicates(*pair) for pair in sorted(found)]


def _similar_pictures(videos: _Videos, sides: NDArray[np.int64] | None) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Pairs (P, 2) of videos that show the same, block by block, with the number of videos that are done."""
    count = len(videos.pictures)
    for start in range(0, count, _PICTURES_AT_ONCE):
        block = videos.pictures[start : start + _PICTURES_AT_ONCE]
        similar = block @ videos.pictures[start:].T >= _SAME_PICTURE
        if sides is not None:
            similar &= sides[start : start + len(block), None] != sides[None, start:]
        pairs = np.argwhere(np.triu(similar, 1)) + start
        yield start + len(block), pairs


class _Videos:
    """Signatures of one length, padded with zeros, and what is needed of them for every shift.

    Attributes:
        pictures: Mean pictures less their mean, of norm 1: float32 (N, 64).
    """

    def __init__(self, signatures: Sequence[Signature]) -> None:
        count, parts = len(signatures), signatures[0].shape[1] if signatures else 0
        self._lengths = np.array([len(each) for each in signatures], np.int64)
        self._moves = np.zeros((count, MOST, parts), np.float32)
        self.pictures = np.zeros((count, parts), np.float32)
        for place, each in enumerate(signatures):
            picture = each.mean(axis=0)
            self.pictures[place] = picture - picture.mean()
            self._moves[place, : len(each)] = each - picture
        norms = np.linalg.norm(self.pictures, axis=1, keepdims=True)
        self.pictures /= np.maximum(norms, 1e-6)
        squares = np.square(self._moves).sum(axis=(1, 2))
        self._still = squares < _MOVES**2 * parts * self._lengths

    def similarity(self, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compare pairs (P, 2): the correlation of the movements at the best shift, or of two still pictures, (P,)."""
        first, second = pairs.T
        alike = self._best_correlation(first, second)
        still = self._still[first] | self._still[second]
        pictures = _products(self.pictures[first], self.pictures[second])
        both = self._still[first] & self._still[second] & (pictures >= _SAME_STILL)
        return np.where(still, np.where(both, pictures, 0), alike).astype(np.float32)

    def _best_correlation(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float32]:
        """Largest correlation of the movements over all shifts with enough overlap, (P,).

        Of the samples x and y that overlap, it is that of x - mean(x) and y - mean(y), from sums over beginnings.
        """
        ends, other_ends = self._lengths[first], self._lengths[second]
        longest = int(max(ends.max(initial=0), other_ends.max(initial=0)))
        least = np.maximum(np.ceil(np.minimum(ends, other_ends) * _OVERLAP), _LEAST)
        products = _diagonal_sums(self._moves[first, :longest] @ self._moves[second, :longest].transpose(0, 2, 1))
        videos, rows = np.unique([first, second], return_inverse=True)  # of one camera, each is in many pairs
        sums, squares = _beginnings(self._moves[videos, :longest])
        one, other = rows.reshape(2, -1)
        least_power = _MOVES**2 * sums.shape[2]
        best = np.full(len(first), -1, np.float32)
        for shift in range(_LEAST - longest, longest - _LEAST + 1):  # sample i of the first is i - shift of the second
            start = max(shift, 0)
            stop = np.maximum(np.minimum(ends, other_ends + shift), start)
            count = np.maximum(stop - start, 1)
            total = sums[one, stop] - sums[one, start]
            other_total = sums[other, stop - shift] - sums[other, start - shift]
            covariance = products[:, shift + longest - 1] - _products(total, other_total) / count
            power = squares[one, stop] - squares[one, start] - _products(total, total) / count
            other_power = squares[other, stop - shift] - squares[other, start - shift]
            other_power = other_power - _products(other_total, other_total) / count
            moves = np.minimum(power, other_power) > least_power * count
            correlation = covariance / np.sqrt(np.where(moves, power * other_power, 1))
            best = np.where(moves & (stop - start >= least), np.maximum(best, correlation), best)
        return best


def _products(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of vectors (P, 64), (P,)."""
    return np.einsum("pc,pc->p", one, other)


def _diagonal_sums(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over i of products[:, i, i - shift], (P, T, T) -> (P, 2 T - 1), for each shift from 1 - T to T - 1."""
    count, length, _ = products.shape
    # With rows of 2 T numbers read as rows of 2 T - 1, each begins one place later, so that diagonals become columns.
    wide = np.zeros((count, length, 2 * length), products.dtype)
    wide[:, :, :length] = products[:, :, ::-1]
    return wide.reshape(count, -1)[:, : length * (2 * length - 1)].reshape(count, length, -1).sum(axis=1)


def _beginnings(moves: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sums of the first 0, 1, 2, ... samples, (P, T + 1, 64), and of the squares of all their parts, (P, T + 1)."""
    sums = np.cumsum(np.pad(moves, ((0, 0), (1, 0), (0, 0))), axis=1)
    return sums, np.cumsum(np.pad(np.square(moves).sum(axis=2), ((0, 0), (1, 0))), axis=1)
