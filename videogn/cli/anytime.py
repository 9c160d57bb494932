"""videogn predict --clips auto: the rule by which scoring stops early, what it refuses, and what is said of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from videogn.axes import VideoRecord
    from videogn.choices import EvaluationViews
    from videogn.evaluation.anytime import StoppingRule
    from videogn.inference.bulk.scoring import Predict
    from videogn.inference.clip_calibration import SavedTest
    from videogn.inference.prediction import Prediction

AUTO = "auto"
AGREEMENT = 0.995
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ClipOptions:
    """What the options of the command say about the number of clips; see there."""

    clips: int | Literal["auto"] | None
    calibration: str | None
    agreement: float
    confidence: float
    checkpoint: str


def check_anytime(options: ClipOptions) -> None:
    """Refuse options that have no meaning.

    Raises:
        ValueError: One has none.
    """
    if options.clips != AUTO and options.calibration is not None:
        raise ValueError("--calibration is about --clips auto, and all clips are scored without that")
    changed = {"--agreement": options.agreement != AGREEMENT, "--confidence": options.confidence != CONFIDENCE}
    for flag, given in changed.items():
        if given and options.calibration is None:
            raise ValueError(f"{flag} is about a --calibration of --clips auto, and none is named")


def calibrating_test(options: ClipOptions) -> SavedTest | None:
    """Find the test that the rule is calibrated on, if there is one.

    Raises:
        FileNotFoundError: A file of it is missing.
        ValueError: It is no test.
    """
    if options.calibration is None:
        return None
    from videogn.inference.clip_calibration import SavedTest

    return SavedTest.opened(options.calibration)


def most_clips(options: ClipOptions, test: SavedTest | None) -> int | None:
    """Return the number of clips of a video: as many as are asked for or as the test had; None leaves it to others."""
    if options.clips != AUTO:
        return options.clips
    return None if test is None else test.num_clips


def stopping_rule(options: ClipOptions, test: SavedTest | None, views: EvaluationViews) -> StoppingRule | None:
    """Choose the rule and say what it promises, on standard error; None where all clips are scored.

    Raises:
        ValueError: The test is another network's, had other views or too few videos, or a number is out of range.
    """
    if options.clips != AUTO:
        return None
    if test is None:
        from videogn.evaluation.anytime import StoppingRule

        rule = StoppingRule(views.num_clips)
        say = f"every video keeps the class of all {views.num_clips} clips; a --calibration would save more of them"
    else:
        found = test.calibrated(options.checkpoint, views, agreement=options.agreement, confidence=options.confidence)
        rule, say = found.rule, found.in_words()
    print(f"clips: {say}", file=sys.stderr)
    return rule


def counting_clips(predict: Predict[Any], rule: StoppingRule | None) -> Predict[Any]:
    """Say at the end how many clips were scored, where that differs.

    Args:
        predict: Function that scores videos.
        rule: When it stops; None where it scores all clips.
    """
    if rule is None:
        return predict

    def counted(videos: Iterable[VideoRecord]) -> Iterator[Prediction]:
        done = clips = 0
        for prediction in predict(videos):
            if prediction.clips is not None:
                done, clips = done + 1, clips + prediction.clips
            yield prediction
        if done:
            print(f"{clips / done:.1f} of {rule.num_clips} clips used a video, on average", file=sys.stderr)

    return counted


def anytime_identity(rule: StoppingRule | None) -> dict[str, Any]:
    """What decides about scores beside the number of clips, flat and as JSON has it."""
    if rule is None:
        return {"stopping": "never"}
    return {"stopping": "certain" if math.isinf(rule.strictness) else f"strictness {rule.strictness:g}"}
