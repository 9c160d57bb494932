"""videogn verify: whether the results of a test can be believed."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videogn.system.displayable import one_line
from videogn.system.sizes import counted

if TYPE_CHECKING:
    from videogn.training.verification import Verification

#: Lines about differences, and about rows, at most.
_MOST = 10


@dataclass(frozen=True)
class Options:
    """Test a random sample of the videos of a result again, and check it.

    Attributes:
        results: Folder of a `videogn test`, with results.json and predictions.parquet.
        videos: Number of videos to test again.
        root (FOLDER): Where the videos are now, if they have moved: what --data.root (or --data.test) named.
        checkpoint (FILE): Where the checkpoint or exported file is now, if it has moved.
        seed: Seed of the sample. Default: a fresh one, which is said.
        tolerance (P): Largest difference of a probability that counts as none. Default: 0.0001 in 32 bits, 0.005 on
            another kind of device than the test's, 0.02 in 16 bits; 0 asks for equality to the bit.
        workers: Number of loader processes.
        trust (PACKAGE): Packages that may be imported where a checkpoint names a norm or network from outside videogn.
    """

    results: str
    videos: int = 100
    root: str | None = None
    checkpoint: str | None = None
    seed: int | None = None
    tolerance: float | None = None
    workers: int = 2
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Verify the results and print what came of it.

    Args:
        options: Options of the command.

    Returns:
        0 if nothing differs, else 1.
    """
    from videogn.checks import require_at_least
    from videogn.cli.lightning_lines import prepare
    from videogn.cli.training_bar import progress_bar
    from videogn.training.verification import verify_results

    for name in ("workers", "tolerance", "seed"):
        require_at_least(name, getattr(options, name) or 0, 0)
    prepare("test", level=logging.WARNING)  # the outcome of the sample alone is of no interest
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    found = verify_results(
        options.results,
        videos=options.videos,
        seed=seed,
        root=options.root,
        checkpoint=options.checkpoint,
        tolerance=options.tolerance,
        trust=options.trust,
        workers=options.workers,
        callbacks=[progress_bar()],
    )
    for line in _lines(found, seed):
        print(one_line(line))
    return 0 if found.verified else 1


def _lines(found: Verification, seed: int) -> Iterable[str]:
    yield from (f"not checked: {each}" for each in found.unknown)
    yield from _bounded([f"differs: {each}" for each in found.differences])
    yield from _bounded([f"{row.path}: {'; '.join(row.differences)}" for row in found.differing])
    if found.versions and not found.verified:
        changed = (f"{name} {then or 'none'}, here {now or 'none'}" for name, (then, now) in found.versions.items())
        yield f"versions of the test: {'; '.join(changed)}"
    yield (
        f"{len(found.checks):,} of {counted(found.rows, 'video')} tested again (seed {seed}): "
        f"{len(found.differing):,} differ; probabilities within {found.gap:.2g} (tolerance {found.tolerance:g})"
    )
    yield _verdict(found)


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"... and {more:,} more"]


def _verdict(found: Verification) -> str:
    if not found.verified:
        return "NOT VERIFIED"
    most = found.bound()
    if len(found.checks) == found.rows:
        return "verified: every row"
    return f"verified: with a confidence of 95 %, at most {100 * most / found.rows:.2g} % of the rows ({most:,}) differ"
