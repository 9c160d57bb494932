"""videogn plan: memory of a training step and the largest batch that fits, before there is a GPU."""

from __future__ import annotations

import gc
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from videogn.checks import expanded, require_positive
from videogn.choices import ARCH, NORM, NUM_CLASSES, DeviceName, MemoryModeName, PrecisionName
from videogn.cli.clip_words import length_and_interval
from videogn.system.destination import check_file
from videogn.system.sizes import format_size, parse_size

#: Batch sizes where neither these nor a memory is given.
_BATCH_SIZES = (1, 2, 4, 8, 16)
_LEFT_OUT = (
    "Left out: the device's context, workspaces of cuDNN and other kernels, what the caching allocator rounds up or "
    "loses to fragmentation, decoded frames that wait, gradient buckets of several processes."
)

#: Keys of a row that are columns of the table, or words of its caption where all rows have the same value.
_SETTINGS = ("model", "norm", "clips", "crop", "precision", "memory_mode", "optimizer", "freeze", "memory")
#: Keys that always are columns.
_RESULTS = ("batch_size", "largest_batch", "activation_bytes", "peak_bytes")


@dataclass(frozen=True)
class Options:
    """Plan the peak memory of a training step and the largest batch that fits, without a GPU.

    The real step runs on tensors that have shapes and no numbers. Every combination of the options is planned.

    Attributes:
        model: Architectures, by name or dotted path.
        norm: Norms with their default options, by name or dotted path.
        clips (LENGTHxINTERVAL): Clips, for instance 32x2 64x1.
        crop: Sides of the square crop, in pixels.
        precision (FORMAT): Number formats: 32, bf16-mixed, 16-mixed, bf16-true or 64-true.
        memory_mode: Memory modes.
        batch_size: Batch sizes, in clips. By default the largest that fits into --memory, or 1 2 4 8 16 without it.
        memory (SIZE): Available memory, for instance 16GiB 24GiB.
        optimizer: Optimiser, a class of torch.optim by name or any other by its dotted path.
        freeze (PART): Parts of the networks that do not train, as for --model.freeze of `videogn fit`.
        device: Device to plan for; none is needed.
        num_classes: Number of classes.
        arch_options: Options of the architectures as for fit, for instance {pool_window: [null, 4, 4]}.
        json: Print the rows as JSON, in bytes.
        plot (FILE): PNG file to draw the largest batches to.
    """

    model: tuple[str, ...] = (ARCH,)
    norm: tuple[str, ...] = (NORM,)
    clips: tuple[str, ...] = ("32x2",)
    crop: tuple[int, ...] = (224,)
    precision: tuple[PrecisionName, ...] = ("32",)
    memory_mode: tuple[MemoryModeName, ...] = ("plain",)
    batch_size: tuple[int, ...] = ()
    memory: tuple[str, ...] = ()
    optimizer: str = "SGD"
    freeze: tuple[str, ...] = ()
    device: DeviceName = "cuda"
    num_classes: int = NUM_CLASSES
    arch_options: dict[str, Any] = field(default_factory=dict)
    json: bool = False
    plot: str | None = None


def run(options: Options) -> int:
    """Plan every combination and print or draw it.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: An option is wrong.
    """
    limits = [parse_size(size) for size in options.memory]
    if options.plot is not None and len(limits) != 1:
        raise ValueError("--plot draws the largest batches at equal memory and needs one --memory, for instance 16GiB")
    for size in options.batch_size:
        require_positive("--batch-size", size)
    if "memory_mode" in options.arch_options:
        raise ValueError("of --arch-options, memory_mode is --memory-mode here")
    if options.plot is not None:
        check_file(expanded(options.plot))
    rows = _rows(options, limits)
    if options.plot is not None:
        from videogn.report.frontier import plot_frontier

        plot_frontier(rows, limits[0], expanded(options.plot))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows, options.device)
    return 0


def _rows(options: Options, limits: Sequence[int]) -> list[dict[str, Any]]:
    """One row per combination, memory and batch size."""
    clips = [length_and_interval(text) for text in options.clips]
    from videogn.cli.progress import bar
    from videogn.memory import StepSetting, plan_steps

    combinations = list(
        itertools.product(options.model, options.norm, clips, options.crop, options.precision, options.memory_mode)
    )
    settings = [
        StepSetting(
            *(model, norm, length, crop, precision, mode, options.num_classes, options.arch_options),
            optimizer=options.optimizer,
            freeze=options.freeze,
        )
        for model, norm, (length, _), crop, precision, mode in combinations
    ]
    gc.freeze()  # the collector need not search all of PyTorch again and again: a third of the time
    with bar("Planning steps") as progress:
        plans = plan_steps(settings, device=options.device, progress=progress)
    frozen = {"freeze": ", ".join(options.freeze)} if options.freeze else {}
    rows = []
    for plan, (_, _, (_, interval), *_) in zip(plans, combinations, strict=True):
        for limit in limits:
            largest = plan.largest_batch(limit)
            answer = {"memory": limit, "largest_batch": largest}
            rows += [{**plan.row(interval, size), **answer} for size in options.batch_size or (max(largest, 1),)]
        if not limits:
            rows += [plan.row(interval, size) for size in options.batch_size or _BATCH_SIZES]
    return [{**row, **frozen} for row in rows]


def _print_table(rows: Sequence[Mapping[str, Any]], device: str) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    texts = [{**row, "clips": f"{row['clip_length']}x{row['interval']}"} for row in rows]
    columns = {
        key: [format_size(row[key]) if key == "memory" or key.endswith("_bytes") else str(row[key]) for row in texts]
        for key in (*_SETTINGS, *_RESULTS)
        if key in texts[0]
    }
    same = [key for key in _SETTINGS if len(set(columns.get(key, ()))) == 1]
    caption = ", ".join(f"{_title(key)} {columns.pop(key)[0]}" for key in same)
    if columns["batch_size"] == columns.get("largest_batch"):
        del columns["batch_size"]
    titles = (Column(_title(key), overflow="fold") for key in columns)
    table = Table(*titles, box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    console = PlainConsole(140)
    console.print(f"For {device}: {caption}")
    console.print("", table, "")
    for model, length, crop in dict.fromkeys((row["model"], row["clip_length"], row["crop"]) for row in rows):
        row = next(r for r in rows if (r["model"], r["clip_length"], r["crop"]) == (model, length, crop))
        console.print(
            f"{model}, {length} x {crop} x {crop}: {row['parameters']:,} parameters, "
            f"{row['multiply_adds'] / 1e9:.3f} G multiply-adds per clip"
        )
    console.print(_LEFT_OUT)


def _title(key: str) -> str:
    return key.removesuffix("_bytes").removesuffix("_size").replace("_", " ")
