"""videogn bench data: where the time of loading videos goes, and what to do about it."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores
from videogn.system.files import displayable

if TYPE_CHECKING:
    from rich.table import Table

    from videogn.bench.loading_report import LoadingReport, Scope
    from videogn.bench.workload import Workload


def parser() -> Parser:
    """The command's options."""
    made = Parser(
        description="Load videos as a training or a test does, and tell where the time goes: opening, decoding, "
        "resizing, handing over; videos a second for each decoder and number of workers; whether memory grows; what a "
        "process that can be killed costs; whether resizing the set would pay. Medians, files in the system's cache."
    )
    made.add_argument("paths", type=str, nargs="+", metavar="PATH", help="Videos, folders, lists or index.parquet.")
    made.add_argument("--root", type=str | None, default=None, help="Where the videos of a list lie.")
    made.add_argument("--mode", type=Literal["test", "train"], default="test", help="All clips, or one random clip.")
    made.add_argument("--clips", type=int, default=10, help="Clips per video in a test.")
    made.add_argument("--clip-length", type=int, default=32, help="Frames in a clip.")
    made.add_argument("--interval", type=int, default=2, help="Frames from one frame of a clip to the next.")
    made.add_argument("--short-side", type=int, default=256, help="Shorter side of the resized frames, pixels.")
    made.add_argument(
        "--decoders", type=str | None, default=None, help="pyav,decord,...; by default all that work here."
    )
    made.add_argument("--workers", type=str | None, default=None, help="0,1,2,...; up to the cores by default.")
    made.add_argument("--videos", type=int, default=8, help="How many to measure, evenly spread over all.")
    made.add_argument("--repeats", type=int, default=3, help="Of every time, of which the median counts.")
    made.add_argument("--memory-videos", type=int, default=200, help="Videos to follow the memory over; 0: none.")
    made.add_argument("--resized-videos", type=int, default=3, help="Videos to copy resized, and compare; 0: none.")
    made.add_argument("--time-limit", type=float, default=60.0, help="Seconds after which a video counts as failed.")
    made.add_argument("--device", type=str, default="auto", help="cpu, cuda, ...; auto takes a GPU if there is one.")
    made.add_argument("--json", action="store_true", help="Print one JSON object and nothing else.")
    return made


def run(options: Namespace) -> int:
    """Measure and print.

    Args:
        options: of `parser`.

    Returns:
        0, also where some videos failed: they are named and counted.
    """
    for name in ("videos", "repeats"):
        if getattr(options, name) <= 0:
            raise ValueError(f"--{name} must be > 0, got {getattr(options, name)}")
    for name in ("memory_videos", "resized_videos"):
        if getattr(options, name) < 0:
            raise ValueError(f"--{name.replace('_', '-')} must be >= 0, got {getattr(options, name)}")
    workers = _numbers(options.workers) if options.workers else _usual_workers(available_cores())
    decoders = _decoders(options.decoders)
    workload, scope = _workload(options), _scope(options, decoders, workers)
    from videogn.bench.loading_report import measure_loading

    with _progress() as progress:
        report = measure_loading(workload, scope, progress)
    if options.json:
        print(json.dumps(_as_json(report, options), indent=2))  # noqa: T201
    else:
        _print(report)
    for failure in report.failed:
        print(f"{displayable(failure.path)}: {failure.reason}", file=sys.stderr)  # noqa: T201
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"--workers takes numbers separated by commas, such as 0,1,2, got {text!r}")
    return tuple(dict.fromkeys(map(int, words)))


def _usual_workers(cores: int) -> tuple[int, ...]:
    """0, 1, 2, 4, ... and the cores themselves."""
    return (0, *(2**power for power in range(cores.bit_length()) if 2**power < cores), cores)


def _decoders(text: str | None) -> tuple[str, ...]:
    from videogn.video.decoders.readers import DECODERS, check_decoder

    if text is not None:
        asked = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
        for name in asked:
            check_decoder(name)
        return asked
    return tuple(name for name in DECODERS if name != "auto" and _works(check_decoder, name))


def _works(check: Callable[[str], None], decoder: str) -> bool:
    try:
        check(decoder)
    except ValueError:
        return False
    return True


def _workload(options: Namespace) -> Workload:
    from videogn.bench.videos import find_records
    from videogn.bench.workload import Workload, spread
    from videogn.data.plans import evaluation_plan, training_plan

    clip = {"clip_length": options.clip_length, "interval": options.interval}
    side = options.short_side
    crop_size = max(side * 7 // 8, 1)  # 224 of 256
    if options.mode == "train":
        plan = training_plan(**clip, short_sides=(side, side * 5 // 4), crop_size=crop_size, flip=0.5)
    else:
        plan = evaluation_plan(
            **clip, num_clips=options.clips, protocol="nonlocal", short_side=side, crop_size=crop_size, crops="full"
        )
    records = find_records(options.paths, options.root)
    return Workload(spread(records, options.videos), plan, limit=options.time_limit)


def _scope(options: Namespace, decoders: tuple[str, ...], workers: tuple[int, ...]) -> Scope:
    from videogn.bench.loading_report import Scope
    from videogn.system.devices import device_named

    return Scope(
        decoders=decoders,
        workers=workers,
        repeats=options.repeats,
        memory_videos=options.memory_videos,
        short_side=options.short_side,
        resized_videos=options.resized_videos,
        device=device_named(options.device),
    )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Say on standard error what is being measured, each thing once where that is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    said: set[str] = set()
    with console.status("Measuring") as status:

        def progress(what: str, done: int, total: int) -> None:
            status.update(f"{what} ({done} of {total})" if total > 1 else what)
            if not console.is_terminal and what not in said:
                console.print(f"{what} ...", highlight=False)
            said.add(what)

        yield progress


def _as_json(report: LoadingReport, options: Namespace) -> dict[str, Any]:
    import torch

    found = dataclasses.asdict(report)
    videos = {name: found.pop(name) for name in ("expected", "measured", "failed")}
    settings = {
        name: getattr(options, name) for name in ("mode", "clips", "clip_length", "interval", "short_side", "repeats")
    }
    machine = {"cores": available_cores(), "torch": torch.__version__, "threads": 1, "files": "in the system's cache"}
    return {"videos": videos, "settings": settings, "machine": machine, **found}


def _print(report: LoadingReport) -> None:
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    count = f"{report.measured} of {report.expected} videos"
    console.print(f"{count}; medians, files in the system's cache, one thread for torch and for each decoder")
    console.print(_stage_table(report))
    console.print(_worker_table(report))
    if report.memory is not None:
        console.print(_memory_table(report))
    for sentence in report.suggestions:
        console.print(f"- {sentence}")


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _stage_table(report: LoadingReport) -> Table:
    columns = ("open", "decode", "resize", "in all", "videos/s", "frames/s", "videos", "failed")
    table = _table("Milliseconds a video, in one process", "decoder", columns)
    for name, times in report.decoders.items():
        if not times.measured:
            table.add_row(name, *["-"] * 6, "0", next(iter(times.failed.values()), ""))
            continue
        stages = (times.open_s, times.decode_s, times.resize_s, times.total_s)
        rates = (f"{times.videos_per_s:.1f}", f"{times.frames_per_s:.0f}", str(times.measured))
        table.add_row(name, *(f"{1000 * seconds:.1f}" for seconds in stages), *rates, str(len(times.failed)))
    transfer = report.transfer
    table.add_section()
    table.add_row("worker to main process", *[""] * 3, f"{1000 * transfer.worker_to_main_s:.1f}")
    if transfer.host_to_device_s is not None:
        table.add_row("main process to device", *[""] * 3, f"{1000 * transfer.host_to_device_s:.1f}")
    guard = report.guard
    table.add_row("in a process that can be killed", *[""] * 3, f"{1000 * guard.guarded_s:.1f}", f"x {guard.ratio:.2f}")
    return table


def _worker_table(report: LoadingReport) -> Table:
    workers = list(dict.fromkeys(each.workers for each in report.throughput))
    table = _table("Videos/s (frames/s) by number of workers", "decoder", [str(number) for number in workers])
    for decoder in dict.fromkeys(each.decoder for each in report.throughput):
        row = {each.workers: each for each in report.throughput if each.decoder == decoder}
        table.add_row(decoder, *(f"{row[n].videos_per_s:.1f} ({row[n].frames_per_s:.0f})" for n in workers))
    return table


def _memory_table(report: LoadingReport) -> Table:
    assert report.memory is not None
    table = _table("A worker's resident memory, MB", "decoding", ("videos", "start", "end", "growth", "per 1000"))
    for name, growth in (("in the worker", report.memory.unguarded), ("guarded", report.memory.guarded)):
        sizes = (growth.start_bytes, growth.end_bytes, growth.growth_bytes, growth.slope_bytes)
        table.add_row(name, str(growth.videos), *("-" if size is None else f"{size / 1e6:.1f}" for size in sizes))
    return table
