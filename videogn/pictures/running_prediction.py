"""What the clips of a video say at each moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def clip_middles(clip_times: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the second in the middle of each clip, (clips,)."""
    return np.asarray(clip_times, dtype=np.float64).reshape(-1, 2).mean(axis=1)


def running_probabilities(
    clip_times: Sequence[tuple[float, float]], clip_probabilities: NDArray[np.float32], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute probabilities at any time: at the middle of a clip its own, between two middles on the line from one to
    the other, and before the first and after the last those of that clip.

    Args:
        clip_times: Start and end of each clip, seconds.
        clip_probabilities: Probabilities (clips, K). Clips with the same middle count as their mean.
        times: Seconds (N,).

    Returns:
        Probabilities (N, K); rows sum to 1.
    """
    middles, place = np.unique(clip_middles(clip_times), return_inverse=True)
    sums = np.zeros((len(middles), clip_probabilities.shape[1]))
    np.add.at(sums, place, clip_probabilities)
    means = sums / np.bincount(place)[:, None]
    after = np.clip(np.searchsorted(middles, times), 1, max(len(middles) - 1, 1))
    if len(middles) == 1:
        return np.repeat(means, len(times), axis=0)
    share = np.clip((times - middles[after - 1]) / (middles[after] - middles[after - 1]), 0, 1)[:, None]
    return means[after - 1] * (1 - share) + means[after] * share
