"""videogn study: norms x clip lengths x batch sizes, trained, tested and reported."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from videogn.cli.parsing import Parser
from videogn.names import check_choice

if TYPE_CHECKING:
    from videogn.study import Cell, Recipe


def run(command: str, argv: Sequence[str]) -> int:
    """Run what is not finished of a grid, then write its report.

    Args:
        command: "study".
        argv: its arguments; those after `--` go to every `videogn fit`.

    Returns:
        0, or 1 when a cell failed.
    """
    own, further = _split(list(argv))
    options = _parser().parse_args(own)
    from videogn.norm import make_norm
    from videogn.study import Recipe, parse_setting
    from videogn.study.cells import grid

    for norm in options.norms:
        make_norm(norm)  # a wrong name is better found before the first training than after it
    cells = grid(options.norms, [parse_setting(setting) for setting in options.settings], options.seeds)
    starts = _starts(options.init_from, options.norms)
    recipe = Recipe(tuple(options.config), tuple(further), options.step_clips, starts)
    return run_and_report(cells, recipe, options.out, jobs=options.jobs, title=options.title)


def run_and_report(cells: Sequence[Cell], recipe: Recipe, out: str | Path, *, jobs: int, title: str) -> int:
    """Run a study with progress, then write and print its report.

    Args:
        cells: the grid.
        recipe: what the cells have in common.
        out: folder of the study.
        jobs: cells that run at once.
        title: of the report.

    Returns:
        0, or 1 when a cell failed.
    """
    from videogn.cli.progress import StudyProgress
    from videogn.report import markdown_table, write_report
    from videogn.study import read_results, run_study
    from videogn.study.cells import RESULT_FILE

    out = Path(out).expanduser()
    with StudyProgress() as progress:
        failed = run_study(cells, recipe, out, jobs=jobs, report=progress)
    for cell, reason in failed.items():
        print(f"{cell.name} failed: {reason}", file=sys.stderr)  # noqa: T201
    if any((out / cell.name / RESULT_FILE).exists() for cell in cells):
        results = [result for result in read_results(out) if result.recipe == recipe.fingerprint()]
        path = write_report(results, out, title)
        print(f"\n{markdown_table(results)}\nTop-1 / top-5 accuracy (%). Table and figure: {path}")  # noqa: T201
    return 1 if failed else 0


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def _starts(init_from: Sequence[str], norms: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read "bn=torchvision:..." and the like, and say it when the norms would not start equal."""
    from videogn.models.fairness import unequal_starts

    starts = []
    for text in init_from:
        norm, separator, source = text.partition("=")
        if not separator or not source:
            raise ValueError(f"--init-from takes NORM=SOURCE, got {text!r}")
        check_choice("norm of --init-from", norm, norms)
        starts.append((norm, source))
    without = [norm for norm in norms if norm not in dict(starts)]
    if starts and without:
        _warn(f"unequal starts: {', '.join(dict(starts))} from weights, {', '.join(without)} as the configuration says")
    for (_, first), (_, second) in itertools.combinations(starts, 2):
        if warning := unequal_starts(first, second):
            _warn(warning)
    return tuple(starts)


def _warn(text: str) -> None:
    print(f"videogn: warning: {text}", file=sys.stderr)  # noqa: T201


def _parser() -> Parser:
    parser = Parser(
        prog="videogn study",
        usage="videogn study --out OUT [options] [-- options of `videogn fit`]",
        description="Train and test every norm x setting x seed, each once: a finished cell is not run again. "
        "Then write report.md with a table and a figure of all that is finished in the folder.",
    )
    parser.add_argument("--out", type=str, required=True, help="Folder of the study.")
    parser.add_argument("--config", type=str, nargs="*", default=[], help="Configurations of `videogn fit`.")
    parser.add_argument("--norms", type=str, nargs="+", default=["bn", "gn"], help="Norms to compare.")
    parser.add_argument(
        "--settings",
        type=str,
        nargs="+",
        default=["32x2@8", "32x2@4", "64x1@4"],
        help="LENGTHxINTERVAL@BATCH: clip length, frame interval, clips per normalisation batch.",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="One training for each.")
    parser.add_argument(
        "--step-clips",
        type=int | None,
        default=None,
        help="Clips an optimiser step on each device: gradients of smaller batches are added up to it.",
    )
    parser.add_argument(
        "--init-from",
        type=str,
        nargs="*",
        default=[],
        metavar="NORM=SOURCE",
        help="Initial weights of a norm's cells, as for --model.init_from.",
    )
    parser.add_argument("--jobs", type=int, default=1, help="Cells that run at once; they share the cores.")
    parser.add_argument("--title", type=str, default="Clip length, batch size and normalisation", help="Of the report.")
    return parser
