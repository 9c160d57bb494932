"""videogn plan: what a training step needs, and the largest batch that fits, before there is a GPU."""

from __future__ import annotations

import functools
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from videogn.cli.parsing import Parser
from videogn.system.sizes import format_size, parse_size

if TYPE_CHECKING:
    from videogn.memory import StepMemory, StepSetting

#: Batch sizes without --batch-size.
_BATCH_SIZES = (1, 2, 4, 8, 16)
_CLIPS = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_LEFT_OUT = (
    "Left out: the device's context, workspaces of cuDNN and other kernels, what the caching allocator rounds up or "
    "loses to fragmentation, decoded frames that wait, gradient buckets of several processes."
)


def run(command: str, argv: Sequence[str]) -> int:
    """Plan every combination and print or draw it.

    Args:
        command: "plan".
        argv: its arguments.

    Returns:
        0.
    """
    options = _parser().parse_args(list(argv))
    clips = [_length_and_interval(text) for text in options.clips]
    limit = None if options.memory is None else parse_size(options.memory)
    if options.plot is not None and limit is None:
        raise ValueError("--plot draws the largest batches at equal memory and needs --memory, for instance 16GiB")
    if wrong := [size for size in options.batch_size or () if size < 1]:
        raise ValueError(f"--batch-size must be >= 1, got {wrong[0]}")
    if "memory_mode" in options.arch_options:
        raise ValueError("of --arch-options, memory_mode is --memory-mode here")
    rows = list(_rows(options, clips, limit))
    if options.plot is not None:
        from videogn.report.frontier import plot_frontier

        assert limit is not None
        plot_frontier(rows, limit, options.plot)
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        _print_table(rows, options.device)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="videogn plan",
        description="Peak memory of a training step and the largest batch that fits, without a GPU: the real step runs "
        "on tensors that have shapes and no numbers.",
    )
    several: dict[str, Any] = {"type": str, "nargs": "+"}
    parser.add_argument("--model", **several, default=["i3d_r50"], help="Architectures.")
    parser.add_argument("--norm", **several, default=["gn"], help="Norms, with their default options.")
    parser.add_argument("--clips", **several, default=["32x2"], help="LENGTHxINTERVAL, for instance 32x2 64x1.")
    parser.add_argument("--crop", type=int, nargs="+", default=[224], help="Sides of the square crop, pixels.")
    parser.add_argument("--precision", **several, default=["32"], help="32, bf16-mixed.")
    parser.add_argument("--memory-mode", **several, default=["plain"], help="plain, lean, block, stage.")
    parser.add_argument("--batch-size", type=int, nargs="+", help="Clips; 1 2 4 8 16 by default.")
    parser.add_argument("--memory", type=str | None, default=None, help="What there is, for instance 16GiB.")
    parser.add_argument("--device", type=str, default="cuda", help="What to plan for, cuda or cpu; none is needed.")
    parser.add_argument("--num-classes", type=int, default=400, help="Classes.")
    parser.add_argument("--arch-options", type=dict, default={}, help="As for fit, e.g. {pool_window: [null, 4, 4]}.")
    parser.add_argument("--json", action="store_true", help="Print rows as JSON; sizes in bytes.")
    parser.add_argument("--plot", type=str | None, default=None, help="Draw the largest batches to this PNG file.")
    return parser


def _length_and_interval(text: str) -> tuple[int, int]:
    found = _CLIPS.fullmatch(text)
    if found is None:
        raise ValueError(f"--clips takes LENGTHxINTERVAL, for instance 32x2, got {text!r}")
    return int(found[1]), int(found[2])


def _rows(options: Any, clips: Sequence[tuple[int, int]], limit: int | None) -> Iterator[dict[str, Any]]:
    """One row for each combination and batch size."""
    from videogn.memory import StepSetting, largest_batch, model_size, plan_row

    combinations = list(
        itertools.product(options.model, options.norm, clips, options.crop, options.precision, options.memory_mode)
    )
    settings = [
        StepSetting(model, norm, length, crop, precision, mode, options.num_classes, options.arch_options)
        for model, norm, (length, _), crop, precision, mode in combinations
    ]
    for setting, (_, _, (_, interval), *_) in zip(settings, combinations, strict=True):
        plan = _planner(setting, options.device)
        sizes = options.batch_size or _BATCH_SIZES
        largest = None if limit is None else largest_batch(_peak_of(plan), limit)
        size_of_model = model_size(setting)
        for size in sizes:
            row = plan_row(setting, interval, plan(size), size_of_model)
            yield row if largest is None else {**row, "largest_batch": largest}


def _planner(setting: StepSetting, device: str) -> Callable[[int], StepMemory]:
    """Batch size -> memory, planned once each."""
    from videogn.memory import step_memory

    return functools.cache(lambda batch_size: step_memory(setting, batch_size, device=device))


def _peak_of(plan: Callable[[int], StepMemory]) -> Callable[[int], int]:
    return lambda batch_size: plan(batch_size).peak_bytes


def _print_table(rows: Sequence[dict[str, Any]], device: str) -> None:
    from rich.console import Console
    from rich.table import Table

    titles = ["model", "norm", "clips", "crop", "precision", "memory mode", "batch", "activations", "peak"]
    with_largest = "largest_batch" in rows[0]
    table = Table(*titles, *(["largest batch"] if with_largest else []))
    for row in rows:
        cells = [row["model"], row["norm"], f"{row['clip_length']}x{row['interval']}", row["crop"], row["precision"]]
        cells += [row["memory_mode"], row["batch_size"]]
        cells += [format_size(row["activation_bytes"]), format_size(row["peak_bytes"])]
        table.add_row(*map(str, cells), *([str(row["largest_batch"])] if with_largest else []))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for model, length, crop in dict.fromkeys((row["model"], row["clip_length"], row["crop"]) for row in rows):
        row = next(r for r in rows if (r["model"], r["clip_length"], r["crop"]) == (model, length, crop))
        console.print(
            f"{model}, {length} x {crop} x {crop}: {row['parameters']:,} parameters, "
            f"{row['multiply_adds'] / 1e9:.3f} G multiply-adds a clip"
        )
    console.print(f"Planned for {device}. {_LEFT_OUT}")
