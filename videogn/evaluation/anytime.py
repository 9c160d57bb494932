"""Testing that stops early: a video's clips one after the other, until the rest can hardly change its class.

The clips come in a fixed order that is well spread over the video at every moment. After j of V clips, the lead of the
best class over the second, in summed probabilities, is compared with a threshold. The m = V - j clips that are left can
move it by at most m, so that a lead of more than m is certain. A lead of more than s * sqrt(j * m / V) is about as
unlikely to be overturned at every j: for clips drawn at random without replacement, j / V times the final lead differs
from the present one by a standard deviation of this times that of one clip's lead (finite population correction). The
strictness s is chosen by `videogn.evaluation.stopping_calibration`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from videogn.checks import require_positive

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
#: What rounding of probabilities in float32 may add to a lead.
_ROUNDING = 1e-5


def scoring_order(num_clips: int) -> Integers:
    """Return the order in which clips are scored: from the middle on, the clip farthest from all before comes next.

    Args:
        num_clips: Number of clips of a video, V.

    Returns:
        Clip numbers, int64 (V,). Of two clips that are equally far, the earlier comes first.

    Raises:
        ValueError: The number is not positive.

    Example:
        >>> from videogn.evaluation.anytime import scoring_order
        >>> scoring_order(10)
        array([5, 0, 9, 2, 7, 1, 3, 4, 6, 8])
    """
    require_positive("num_clips", num_clips)
    places = np.arange(num_clips)
    order = [num_clips // 2]
    gaps = np.abs(places - order[0])
    while len(order) < num_clips:
        order.append(int(gaps.argmax()))
        gaps = np.minimum(gaps, np.abs(places - order[-1]))
    return np.array(order)


@dataclass(frozen=True)
class StoppingRule:
    """When a video has been seen well enough.

    Args:
        num_clips: Number of clips of a video, V.
        strictness: Factor of the thresholds, s >= 0; 0 stops after one clip. By default the rule is certain: it stops
            only when the clips that are left cannot change the class, whatever they show.

    Raises:
        ValueError: A number is out of range.

    Example:
        After three clips of four, a lead of 1.2 is more than the last can make up for.

        >>> from videogn.evaluation.anytime import StoppingRule
        >>> rule = StoppingRule(4)
        >>> rule.stops([2.0, 0.8, 0.2], 3), rule.stops([1.6, 1.2, 0.2], 3)
        (True, False)
    """

    num_clips: int
    strictness: float = math.inf

    def __post_init__(self) -> None:
        require_positive("num_clips", self.num_clips)
        if not self.strictness >= 0:
            raise ValueError(f"strictness must be >= 0, got {self.strictness}")

    @property
    def thresholds(self) -> Floats:
        """Lead that is more than enough after 1, 2, ... V clips, (V,); after the last, any is."""
        seen = np.arange(1, self.num_clips)
        left = self.num_clips - seen
        likely = self.strictness * np.sqrt(seen * left / self.num_clips)
        return np.append(np.minimum(likely, left + _ROUNDING), -np.inf)

    def stops(self, total: NDArray | list[float], seen: int) -> bool:
        """Say whether a video has been seen well enough.

        Args:
            total: Sums (K,) of the probabilities of the clips so far.
            seen: Their number.
        """
        return bool(_lead(np.asarray(total, np.float64)) > self.thresholds[seen - 1])


@dataclass(frozen=True)
class Course:
    """How the classes of videos settle while their clips are scored.

    Attributes:
        leads: Lead of the best class after each clip, in summed probabilities, (n, V).
        classes: Best class after each clip, (n, V); the last is that of all clips.
    """

    leads: Floats
    classes: Integers

    @classmethod
    def of(cls, clips: NDArray) -> Course:
        """Follow videos.

        Args:
            clips: Probabilities (n, V, K) of their clips, in the order of time.
        """
        totals = clips[:, scoring_order(clips.shape[1])].astype(np.float64).cumsum(axis=1)
        return cls(_lead(totals), totals.argmax(axis=-1))

    def stopped(self, rule: StoppingRule) -> tuple[Integers, Integers]:
        """Stop every video where a rule says.

        Returns:
            Number of clips used of each video, and its class by these, (n,) each.
        """
        used = (self.leads > rule.thresholds).argmax(axis=1)
        return used + 1, np.take_along_axis(self.classes, used[:, None], axis=1)[:, 0]


def _lead(totals: Floats) -> Floats:
    """Lead of the best class over the second along the last axis; of a single class, over nothing."""
    if totals.shape[-1] == 1:
        return totals[..., 0]
    second, best = np.moveaxis(np.partition(totals, -2, axis=-1)[..., -2:], -1, 0)
    return best - second
