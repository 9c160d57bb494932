"""Whether the results of a test can be believed: a sample of its videos tested again, and what follows from rows."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from videogn.checks import require_positive
from videogn.evaluation.proportions import most_differing
from videogn.evaluation.recorded_results import Clips, RecordedTest, RecordedVideo, read_recorded
from videogn.evaluation.result_files import CLIPS, CSV, PREDICTIONS
from videogn.evaluation.row_check import RowCheck, check_row
from videogn.evaluation.summary_check import summary_differences
from videogn.system.versions import package_versions
from videogn.training.repeated_test import RepeatedTest

#: Largest difference of a probability that counts as none: of float32 on the device of the test (thread counts and
#: processors change last digits); on another (a GPU multiplies in TF32); with 16 bits.
TOLERANCE, TOLERANCE_OF_OTHER_DEVICE, TOLERANCE_OF_16_BITS = 1e-4, 5e-3, 2e-2
#: What frames and probabilities depend on.
_VERSIONS = ("videogn", "torch", "torchvision", "av", "decord")


@dataclass
class Verification:
    """What came of it.

    Attributes:
        rows: Number of rows of the results.
        checks: What came of the rows that were tested again.
        tolerance: Largest difference of a probability that counted as none.
        differences: What differs beside these rows, in words.
        unknown: What could not be checked, in words.
        versions: Versions that differ: package -> (then, now).
    """

    rows: int
    checks: list[RowCheck] = field(default_factory=list)
    tolerance: float = 0.0
    differences: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    versions: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    @property
    def differing(self) -> list[RowCheck]:
        """The rows that differ."""
        return [check for check in self.checks if check.differences]

    @property
    def verified(self) -> bool:
        """Whether nothing differs."""
        return not self.differences and not self.differing

    @property
    def gap(self) -> float:
        """Largest difference of a probability."""
        return max((check.gap for check in self.checks), default=0.0)

    def bound(self, level: float = 0.95) -> int:
        """Number of rows that differ, at most, where none of the sample does; see `most_differing`."""
        return most_differing(self.rows, len(self.checks), level=level)


def verify_results(
    folder: str | Path,
    *,
    videos: int = 100,
    seed: int = 0,
    root: str | None = None,
    checkpoint: str | None = None,
    tolerance: float | None = None,
    trust: Collection[str] = (),
    workers: int = 2,
    callbacks: Sequence[Callback] = (),
) -> Verification:
    """Test a random sample of the videos of a result again, and check that the rest of it follows from its rows.

    Args:
        folder: Folder of the results of a `videogn test`.
        videos: Number of videos to test again; all if there are fewer. Default: 100.
        seed: Seed of the sample. Default: 0.
        root: Where the videos are now. Default: where they were.
        checkpoint: Where the checkpoint or exported file is now. Default: where it was.
        tolerance: Largest difference of a probability that counts as none. Default: by the precision of the test.
        trust: Packages that may be imported where a checkpoint names a network or norm from outside videogn.
        workers: Number of loader processes. Default: 2.
        callbacks: Callbacks of the trainer, a progress bar for instance.

    Returns:
        What differs.

    Raises:
        FileNotFoundError: The results, the videos or the checkpoint are not there.
        ValueError: They are not what they should be, or a number is out of range.
    """
    require_positive("videos", videos)
    test = read_recorded(folder)
    if not test.videos:
        raise ValueError(f"{folder} has no rows to verify")
    again = RepeatedTest(test, root=root, checkpoint=checkpoint, trust=trust, workers=workers)
    found = Verification(len(test.videos), tolerance=_tolerance(test, again) if tolerance is None else tolerance)
    found.versions = _versions(test.about.get("versions", {}))
    if test.has_clips and not test.clips_agree():
        found.differences.append(f"{CLIPS} has other videos or labels than {PREDICTIONS}, or another order")
        test = replace(test, has_clips=False)
    _check_whole(test, again, found)
    places = again.positions([video.path for video in test.videos])
    found.differences += _rows_and_videos(test, again, places)
    sample = sorted(random.Random(seed).sample(range(len(test.videos)), min(videos, len(test.videos))))
    positions = sorted({place for row in sample if (place := places[row]) is not None})
    with tempfile.TemporaryDirectory() as results:
        now = again.run(positions, Path(results), callbacks) if positions else None
        if now is not None:
            _check_network(test.about, now.about, found)
        found.checks = _check_rows(test, sample, _by_row(places, positions, now), found.tolerance)
    return found


def _tolerance(test: RecordedTest, again: RepeatedTest) -> float:
    if "16" in again.precision:
        return TOLERANCE_OF_16_BITS
    same = test.about.get("computing", {}).get("device", again.device) == again.device
    return TOLERANCE if same else TOLERANCE_OF_OTHER_DEVICE


def _versions(then: dict[str, str | None]) -> dict[str, tuple[str | None, str | None]]:
    now = package_versions()
    return {name: (then.get(name), now[name]) for name in _VERSIONS if then.get(name) != now[name]}


def _check_whole(test: RecordedTest, again: RepeatedTest, found: Verification) -> None:
    """Check the index, the summary and the table in text."""
    if test.about["index_sha256"] != again.index.fingerprint():
        found.differences.append("index: the videos or their classes are not those that were tested")
    if (said := test.about["counts"].get("expected")) != len(again.index):
        found.differences.append(f"counts.expected is {said}, and there are {len(again.index)} videos")
    unlike, unknown = summary_differences(test, expected=len(again.index), several_labels=again.several_labels)
    found.differences += unlike
    found.unknown += unknown
    if not (test.folder / CSV).is_file():
        found.unknown.append(f"{CSV}: it is not there")
    elif not test.text_agrees():
        found.differences.append(f"{CSV} does not say what {PREDICTIONS} says")
    if not test.has_checksums:
        found.unknown.append("frames: the results are older than their checksums")


def _rows_and_videos(test: RecordedTest, again: RepeatedTest, places: list[int | None]) -> list[str]:
    """Compare how often each video is in the rows and in the index: a test has every video once."""
    names = [again.name(record) for record in again.index.records]
    listed, rows = Counter(again.positions(names)), Counter(places)
    whole = not test.about["counts"]["not_tested"]
    found = []
    for place, name in enumerate(names):
        if rows[place] > listed[place] > 0:
            found.append(f"{name} has more rows than it is listed")
        elif whole and not rows[place] and listed[place]:
            found.append(f"{name} has no row")
    return found


def _check_network(then: dict[str, Any], now: dict[str, Any], found: Verification) -> None:
    """Compare the weights, or the exported file, and what the checkpoint says of its network."""
    if "engine" in then:
        if then["engine"]["sha256"] != now["engine"]["sha256"]:
            found.differences.append(f"exported file: {now['engine']['file']} is not the one that was tested")
    elif then.get("weights_sha256") is None:
        found.unknown.append("weights: the results are older than their hash")
    elif then["weights_sha256"] != now["weights_sha256"]:
        found.differences.append(f"weights: those of {now['checkpoint']} are not those that were tested")
    if then.get("training") != now.get("training"):
        found.differences.append("training: the checkpoint tells of another training run")


def _by_row(
    places: list[int | None], positions: list[int], now: RecordedTest | None
) -> dict[int, tuple[RecordedVideo, Clips | None]]:
    """Number of a row -> the video as it is now."""
    if now is None:
        return {}
    clips = list(now.clips()) if now.has_clips else [None] * len(positions)
    at = dict(zip(positions, zip(now.videos, clips, strict=True), strict=True))
    return {row: at[place] for row, place in enumerate(places) if place in at}


def _check_rows(
    test: RecordedTest, sample: list[int], again: dict[int, tuple[RecordedVideo, Clips | None]], tolerance: float
) -> list[RowCheck]:
    saved: dict[int, Clips | None] = {}
    checks = []
    if test.has_clips:
        chosen = set(sample)
        saved = {row: values for row, values in enumerate(test.clips()) if row in chosen}
    for row in sample:
        recorded = test.videos[row]
        if row not in again:
            checks.append(RowCheck(recorded.path, ("not among the videos",)))
            continue
        video, clips = again[row]
        options: dict[str, Any] = {"classes": test.classes, "tolerance": tolerance}
        checks.append(check_row(recorded, video, clips=clips, recorded_clips=saved.get(row), **options))
    return checks
