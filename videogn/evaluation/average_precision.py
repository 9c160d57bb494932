"""Average precision: how well the videos that show a class are ranked before those that do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def average_precision(scores: NDArray[np.floating], shown: NDArray[np.bool_], positives: int) -> float | None:
    """Compute the average precision of a class: the sum over thresholds of precision times the gain in recall.

    Videos of equal score are passed at one threshold, as in scikit-learn's `average_precision_score`; nothing is
    interpolated.

    Args:
        scores: Score of each ranked video, (N,).
        shown: Whether it shows the class, (N,).
        positives: Number of videos that show it, ranked or not: one that could not be scored is never found.

    Returns:
        The average precision, in [0, 1]; None if no video shows the class.

    Example:
        >>> import numpy as np
        >>> from videogn.evaluation.average_precision import average_precision
        >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), positives=2)
        0.8333333333333333
    """
    if not positives:
        return None
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(shown[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(scores) else np.array([], np.int64)
    gains = np.diff(found[last], prepend=0)
    return float((gains * found[last] / (last + 1)).sum() / positives)


def average_precisions(
    scores: NDArray[np.floating], shown: NDArray[np.bool_], positives: NDArray[np.int64]
) -> list[float | None]:
    """Compute the average precision of every class: `scores` and `shown` are (N, K), `positives` (K,)."""
    return [average_precision(scores[:, k], shown[:, k], int(count)) for k, count in enumerate(positives)]


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Average the values that are known: mAP is the mean over the classes that a video shows. None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
