"""The table of `videogn bench step`, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Column, Table

from videogn.cli.plain_console import PlainConsole

#: What tells rows apart, and how a value is written where the word alone would say nothing.
_WORDS = {
    "arch": "{}",
    "norm": "{}",
    "clips": "{}",
    "crop": "crop {}",
    "batch_size": "batch {}",
    "precision": "{}",
    "memory_mode": "{}",
    "memory_format": "{}",
    "compile": "{}",
    "group_norm": "{}",
}
_COMPILED = {False: "eager", True: "compiled"}
#: What the first line leaves out where all rows have it: most are of norms that it does not concern.
_UNSAID = {"group_norm": "pytorch"}
_MIB = 2**20


def print_table(rows: Sequence[Mapping[str, Any]], baseline: Sequence[str]) -> None:
    """Print rows of `videogn bench step --json`.

    Args:
        rows: The rows.
        baseline: The option of that name.
    """
    texts = [{key: form.format(_value(row, key)) for key, form in _WORDS.items()} for row in rows]
    same = [key for key in _WORDS if len({text[key] for text in texts}) == 1]
    first, console = rows[0], PlainConsole(80)
    common = ", ".join(texts[0][key] for key in same if texts[0][key] != _UNSAID.get(key))
    threads = f", threads: {first['threads']}" if first["device"] == "cpu" else ""
    console.print(f"{common}; {first['device']} ({first['machine']}{threads}), torch {first['torch']}")
    numbers = ("step ms", "+-", "ratio", "infer ms", "+-", "ratio", "MiB", "plan", "roof")
    columns = (Column(name, justify="right", no_wrap=True) for name in numbers)
    table = Table(Column("", overflow="fold"), *columns, box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for number, (row, text) in enumerate(zip(rows, texts, strict=True), start=1):
        name = " ".join(text[key] for key in _WORDS if key not in same)
        table.add_row(f"{number} {name}".strip(), *_cells(row))
    console.print("", table, "")
    for number, row in enumerate(rows, start=1):
        if row["error"] is not None:
            console.print(f"Row {number}: {row['error']}", soft_wrap=True)
    console.print(_explanation(first, max(row["rounds"] for row in rows), baseline))


def _value(row: Mapping[str, Any], key: str) -> Any:
    if key == "clips":
        return f"{row['clip_length']}x{row['interval']}"
    return _COMPILED.get(row[key], row[key]) if key == "compile" else row[key]


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        *_times(row, "step"),
        *_times(row, "inference"),
        *("-" if row[key] is None else f"{row[key] / _MIB:.0f}" for key in ("peak_bytes", "planned_bytes")),
        "-" if row["of_roofline"] is None else f"{row['of_roofline']:.0%}",
    ]


def _times(row: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    """Median in milliseconds, half the distance of the quartiles as a part of it, and ratio."""
    middle, ratio = row[f"{name}_seconds"], row[f"{name}_ratio"]
    if middle is None:
        return "-", "-", "-"
    low, high = row[f"{name}_quartiles"]
    spread = f"{(high - low) / 2 / middle:.0%}"
    return _three_digits(1000 * middle), spread, "-" if ratio is None else f"{ratio:.2f}"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _explanation(row: Mapping[str, Any], rounds: int, baseline: Sequence[str]) -> str:
    compared = f"the row with {' '.join(baseline)}" if baseline else "the first row"
    clock = {
        "processor": "processor time",
        "wall": "wall-clock time",
        "cuda": "time between CUDA events",
    }[row["clock"]]
    return (
        f"Medians of {rounds} rounds, {clock}; +- is half the distance of the quartiles. Ratios are to "
        f"{compared}. MiB is the peak of a training step, plan the planned one. roof is the part that the least time "
        "of a step, by a matrix product and a copy measured here, has in the measured time."
    )
