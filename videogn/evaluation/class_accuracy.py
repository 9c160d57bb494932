"""Accuracy in which every class counts alike, however many videos it has."""

from __future__ import annotations

from collections.abc import Sequence


def mean_class_accuracy(right: Sequence[float], videos: Sequence[float]) -> float | None:
    """Average the accuracies of the classes that have videos (scikit-learn's balanced accuracy).

    Args:
        right: Number of videos of each class whose best class is theirs, (K,).
        videos: Number of videos of each class, (K,).

    Returns:
        The mean, in [0, 1]; None without videos.

    Example:
        >>> from videogn.evaluation.class_accuracy import mean_class_accuracy
        >>> mean_class_accuracy(right=[90, 0, 0], videos=[90, 10, 0])
        0.5
    """
    accuracies = [hits / count for hits, count in zip(right, videos, strict=True) if count]
    return sum(accuracies) / len(accuracies) if accuracies else None
