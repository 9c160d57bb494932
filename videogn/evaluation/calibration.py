"""How far the probabilities of a test can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bins of the reliability diagram and of the calibration error, as in Guo et al., "On Calibration of Modern Neural
#: Networks", ICML 2017.
BINS = 15
#: Smallest probability in the logarithm, as in scikit-learn's `log_loss`: a zero would be infinitely wrong.
_LEAST = float(np.finfo(np.float64).eps)


def calibration(
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    label_probability: NDArray[np.floating] | None = None,
    brier: NDArray[np.floating] | None = None,
) -> dict[str, Any]:
    """Compare the probabilities of videos with how often they are right.

    Args:
        confidence: Probability of the best class of each video, in [0, 1], (N,).
        right: Whether that class is the video's, (N,).
        label_probability: Probability of the video's class, (N,). Default: not known.
        brier: Brier score of each video, see `brier_score`, (N,). Default: not known.

    Returns:
        "videos": N; "ece", the expected calibration error: the mean over videos of the distance between confidence and
        accuracy, in 15 equal bins of confidence (Guo et al. 2017); "nll": mean of -log of the probability of the
        video's class; "brier": mean Brier score, in [0, 2]. None where it is not known. "bins": of those with videos,
        "above" and "up_to" (confidences), "videos", mean "confidence" and "top1".

    Example:
        >>> import numpy as np
        >>> from videogn.evaluation.calibration import calibration
        >>> round(calibration(np.array([0.9, 0.8]), np.array([True, False]))["ece"], 3)
        0.45
    """
    confidence = np.asarray(confidence, np.float64)
    numbers = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(numbers, minlength=BINS)
    sums = np.bincount(numbers, confidence, BINS), np.bincount(numbers, np.asarray(right, np.float64), BINS)
    bins = [
        {
            "above": number / BINS,
            "up_to": (number + 1) / BINS,
            "videos": int(counts[number]),
            "confidence": float(sums[0][number] / counts[number]),
            "top1": float(sums[1][number] / counts[number]),
        }
        for number in np.flatnonzero(counts).tolist()
    ]
    gaps = sum(one["videos"] * abs(one["confidence"] - one["top1"]) for one in bins)
    known = None if label_probability is None else np.maximum(np.asarray(label_probability, np.float64), _LEAST)
    return {
        "videos": len(confidence),
        "ece": gaps / len(confidence) if bins else None,
        "nll": float(-np.log(known).mean()) if known is not None and bins else None,
        "brier": float(np.mean(brier, dtype=np.float64)) if brier is not None and bins else None,
        "bins": bins,
    }


def brier_score(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute the Brier score of each video: the sum over classes of (p - y)², y being 1 for the video's class.

    From "Verification of forecasts expressed in terms of probability", Monthly Weather Review 1950; in [0, 2].

    Args:
        probabilities: Probabilities (N, K).
        labels: Class numbers (N,).

    Returns:
        Scores (N,).

    Example:
        >>> import numpy as np
        >>> from videogn.evaluation.calibration import brier_score
        >>> brier_score(np.array([[0.5, 0.5, 0.0]]), np.array([0])).round(3)
        array([0.5])
    """
    values = np.asarray(probabilities, np.float64)
    of_label = np.take_along_axis(values, np.asarray(labels)[:, None], axis=1)[:, 0]
    return np.asarray((values**2).sum(axis=1) - 2 * of_label + 1)
