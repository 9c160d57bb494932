"""The laxest rule of early stopping that can be shown to keep the class of nearly every video.

Rules are tried from the strictest to the laxest, in an order that was fixed before any data were seen. Each is accepted
if an exact binomial test rejects, at 1 - confidence, that it changes the class of too many videos; the first one that
is not accepted ends the search. Such fixed-sequence testing keeps the probability that an accepted rule changes too
many below 1 - confidence, however many rules there are and with all videos in every test: Angelopoulos, Bates, Candes,
Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve risk control" (2021, arXiv:2110.01052).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from videogn.evaluation.anytime import Course, StoppingRule
from videogn.evaluation.proportions import clopper_pearson_upper

#: The sequence: the certain rule, then these. Above them, hardly anything stops early that is not certain.
_STRICTNESSES = np.round(np.arange(3.0, -0.005, -0.01), 2)


@dataclass(frozen=True)
class Calibration:
    """A rule, and what was seen of it.

    Attributes:
        rule: The rule.
        agreement: Share of videos that keep the class of all their clips, at least.
        confidence: Probability with which a calibration states what is true.
        videos: Number of videos that it was calibrated on.
        changed: Number of those whose class it changes.
        clips_used: Number of clips that it used of these, on average.
    """

    rule: StoppingRule
    agreement: float
    confidence: float
    videos: int
    changed: int
    clips_used: float

    def in_words(self) -> str:
        """Write it as one line."""
        return (
            f"at least {100 * self.agreement:g} % of such videos keep the class of all {self.rule.num_clips} clips "
            f"(confidence {100 * self.confidence:g} %); of {self.videos:,} tested ones {self.changed:,} do not, and "
            f"{self.clips_used:.1f} clips a video are used"
        )


def calibrate(course: Course, *, agreement: float, confidence: float = 0.95) -> Calibration:
    """Choose the rule.

    Args:
        course: How the classes of tested videos settled.
        agreement: Share of videos, in (0, 1), that have to keep the class of all their clips.
        confidence: Probability, in (0, 1), over the drawing of the tested videos, that they do. Default: 0.95.

    Returns:
        The rule that uses the fewest clips, and what was seen of it.

    Raises:
        ValueError: A number is out of range, or there are too few videos to show it, even if none changes.
    """
    for name, value in (("agreement", agreement), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must be > 0 and < 1, got {value:g}")
    videos, num_clips = course.leads.shape
    if (needed := videos_needed(agreement, confidence)) > videos:
        shown = math.floor(1000 * (1 - confidence) ** (1 / max(videos, 1))) / 1000
        instead = f", or ask for an agreement of {shown:g}" if shown > 0 else ""
        raise ValueError(
            f"an agreement of {agreement:g} with a confidence of {confidence:g} takes the clips of at least "
            f"{needed:,} videos to show, got {videos:,}: test more videos{instead}"
        )

    def seen(rule: StoppingRule) -> Calibration:
        used, classes = course.stopped(rule)
        changed = int((classes != course.classes[:, -1]).sum())
        return Calibration(rule, agreement, confidence, videos, changed, float(used.mean()))

    accepted = seen(StoppingRule(num_clips))  # certain, so that there is nothing to test
    for strictness in _STRICTNESSES.tolist():
        next_one = seen(StoppingRule(num_clips, strictness))
        if clopper_pearson_upper(next_one.changed, videos, level=confidence) > 1 - agreement:
            break
        accepted = next_one
    return accepted


def videos_needed(agreement: float, confidence: float) -> int:
    """Return the smallest number of videos that can show an agreement: n with agreement^n <= 1 - confidence.

    Args:
        agreement: Share of videos, in (0, 1).
        confidence: Confidence, in (0, 1).

    Example:
        >>> from videogn.evaluation.stopping_calibration import videos_needed
        >>> videos_needed(0.99, 0.95), videos_needed(0.995, 0.95)
        (299, 598)
    """
    return math.ceil(math.log(1 - confidence) / math.log(agreement))
