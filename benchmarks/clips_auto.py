"""What early stopping saves, and whether it keeps its word: `python benchmarks/clips_auto.py FOLDER...`.

Each folder holds the results.json and clip_probabilities.parquet of a test. Prints what the certain rule does; then,
for several agreements, the rule calibrated on all videos, and rules calibrated on one random half and applied to the
other, over 100 divisions.
"""

from __future__ import annotations

import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from videogn.evaluation.anytime import Course, StoppingRule
from videogn.evaluation.saved_clips import saved_course
from videogn.evaluation.stopping_calibration import calibrate
from videogn.inference.clip_calibration import SavedTest

_AGREEMENTS = (0.98, 0.99, 0.995)
_DIVISIONS = 100


def main(folders: list[str]) -> None:
    """Print a table for each test."""
    for folder in folders:
        test = SavedTest.opened(folder)
        course = saved_course(test.path, num_clips=test.num_clips)
        used, kept = _seen(course, StoppingRule(test.num_clips))
        about = (
            f"{len(course.leads):,} videos; certain: {used:.2f} of {test.num_clips} clips, {kept:.1%} keep the class"
        )
        table = Table(
            "agreement", "strictness", "clips", "changed", "clips", "kept", "least", "as stated in", title=about
        )
        for agreement in _AGREEMENTS:
            table.add_row(f"{agreement:.1%}", *_whole(course, agreement), *_halves(course, agreement))
        Console().print(table)


def _whole(course: Course, agreement: float) -> tuple[str, ...]:
    found = calibrate(course, agreement=agreement)
    return f"{found.rule.strictness:g}", f"{found.clips_used:.2f}", str(found.changed)


def _halves(course: Course, agreement: float) -> tuple[str, ...]:
    draw, count = np.random.default_rng(0), len(course.leads)
    halves = []
    for _ in range(_DIVISIONS):
        order = draw.permutation(count)
        rule = calibrate(_some(course, order[: count // 2]), agreement=agreement).rule
        halves.append(_seen(_some(course, order[count // 2 :]), rule))
    used, kept = np.array(halves).T
    return f"{used.mean():.2f}", f"{kept.mean():.2%}", f"{kept.min():.2%}", f"{(kept >= agreement).mean():.0%}"


def _some(course: Course, places: np.ndarray) -> Course:
    return Course(course.leads[places], course.classes[places])


def _seen(course: Course, rule: StoppingRule) -> tuple[float, float]:
    """Mean number of clips, and the share of videos that keep their class."""
    used, classes = course.stopped(rule)
    return float(used.mean()), float((classes == course.classes[:, -1]).mean())


if __name__ == "__main__":
    main(sys.argv[1:])
