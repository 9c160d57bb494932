"""A study as a Markdown table shaped like the GN paper's Table 8."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from videogn.files import write_text
from videogn.report.figures import plot_validation_error
from videogn.study.cells import CellResult


def markdown_table(results: Sequence[CellResult]) -> str:
    """Top-1 / top-5 accuracy in per cent, over all videos: settings down, norms across.

    Several seeds give their mean, and the sample standard deviation of top-1.

    Args:
        results: finished cells.

    Returns:
        The table, ending in a newline. A cell that is not there is a dash.
    """
    norms = list(dict.fromkeys(result.cell.norm for result in results))
    settings = sorted(
        {(r.cell.clip_length, r.cell.interval, r.cell.batch_size) for r in results},
        key=lambda setting: (setting[0], setting[1], -setting[2]),
    )
    head = ["clip length x interval", "batch size", *(norm.upper() for norm in norms)]
    lines = [_row(head), _row(["---"] * len(head))]
    for length, interval, batch in settings:
        own = [
            r for r in results if (r.cell.clip_length, r.cell.interval, r.cell.batch_size) == (length, interval, batch)
        ]
        accuracies = [_accuracy([r for r in own if r.cell.norm == norm]) for norm in norms]
        lines.append(_row([f"{length} x {interval}", str(batch), *accuracies]))
    return "\n".join(lines) + "\n"


def write_report(results: Sequence[CellResult], out: str | Path, title: str) -> Path:
    """Write `report.md` and the figure beside it.

    Args:
        results: finished cells.
        out: folder.
        title: of the report.

    Returns:
        The path of report.md.
    """
    out = Path(out)
    figure = plot_validation_error(results, out / "validation_error.png")
    test = results[0].test
    protocol = test["protocol"]
    k = test["k_of_top5"]
    seeds = sorted({r.cell.seed for r in results})
    text = f"""# {title}

Top-1 / top-{k} accuracy (%) on {test["over_all"]["videos"]} test videos, {protocol["clips"]} clips a video
({protocol["starts"]}), {"seed" if len(seeds) == 1 else "seeds"} {", ".join(map(str, seeds))}.
{_failures(results)}
{markdown_table(results)}
Validation error of one clip after each epoch:

![validation error]({figure.name})

| cell | top-1 of single clips | training and test (s) |
| --- | --- | --- |
{"".join(_row([r.cell.name, _percent(r.test["per_clip_top1"]), f"{r.seconds:.0f}"]) + chr(10) for r in results)}"""
    write_text(out / "report.md", text)
    return out / "report.md"


def _accuracy(results: Sequence[CellResult]) -> str:
    if not results:
        return "-"
    top1 = [100 * (r.test["over_all"]["top1"] or 0) for r in results]
    top5 = [100 * (r.test["over_all"]["top5"] or 0) for r in results]
    spread = f" ± {statistics.stdev(top1):.1f}" if len(top1) > 1 else ""
    return f"{statistics.mean(top1):.1f}{spread} / {statistics.mean(top5):.1f}"


def _failures(results: Sequence[CellResult]) -> str:
    failed = max(r.test["counts"]["failed"] for r in results)
    return f"\n{failed} videos could not be decoded and count as wrong.\n" if failed else ""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
