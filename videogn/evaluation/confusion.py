"""Which classes are taken for which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Confusion(NamedTuple):
    """Videos of one class that were taken for another.

    Attributes:
        true: Number of their class.
        predicted: Number of the class that they were taken for.
        videos: Number of these videos.
        share: Their share of the scored videos of their class.
    """

    true: int
    predicted: int
    videos: int
    share: float


def confusion_matrix(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], num_classes: int
) -> NDArray[np.int64]:
    """Count videos by true and predicted class.

    Args:
        labels: Class numbers (N,); those below 0 are left out.
        predicted: Numbers of the best classes (N,); those below 0 are left out.
        num_classes: K.

    Returns:
        Counts (K, K): true class, predicted class.

    Example:
        >>> import numpy as np
        >>> from videogn.evaluation.confusion import confusion_matrix
        >>> confusion_matrix(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 0]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    known = (labels >= 0) & (predicted >= 0)
    flat = labels[known] * num_classes + predicted[known]
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


def confused_order(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Order classes so that those that are taken for one another stand together.

    They are clustered by the mean of their shares of confusion (average linkage), and the leaves of the tree turned so
    that neighbours are as close as can be (Bar-Joseph et al., "Fast optimal leaf ordering", Bioinformatics 2001).

    Args:
        counts: Counts (K, K): true class, predicted class.

    Returns:
        Numbers of the classes in order (K,).

    Example:
        >>> import numpy as np
        >>> from videogn.evaluation.confusion import confused_order
        >>> confused_order(np.array([[5, 0, 5], [0, 9, 0], [4, 0, 6]])).tolist() in ([1, 0, 2], [1, 2, 0], [0, 2, 1])
        True
    """
    classes = len(counts)
    if classes < 3:
        return np.arange(classes)
    from scipy.cluster.hierarchy import leaves_list, linkage  # slow to import, and few need it
    from scipy.spatial.distance import squareform

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    return np.asarray(
        leaves_list(linkage(squareform(distances, checks=False), "average", optimal_ordering=True)), np.int64
    )


def most_confused(counts: NDArray[np.integer], most: int) -> list[Confusion]:
    """Find the pairs of classes with the most videos of one taken for the other, the largest share first among equals.

    Args:
        counts: Counts (K, K): true class, predicted class.
        most: Largest number of pairs.

    Returns:
        The pairs.
    """
    videos = counts.sum(axis=1)
    pairs = [
        Confusion(true, predicted, int(counts[true, predicted]), float(counts[true, predicted] / videos[true]))
        for true, predicted in np.argwhere(counts).tolist()
        if true != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.videos, -pair.share, pair.true, pair.predicted))[:most]
