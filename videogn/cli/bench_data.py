"""videogn bench data: where the time of loading videos goes, and how many loader processes pay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from videogn.checks import require_positive
from videogn.choices import TIME_LIMIT
from videogn.cli.exits import name_failure
from videogn.cli.view_options import ViewOptions
from videogn.cli.worker_counts import worker_counts
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from rich.table import Table

    from videogn.bench.loading_report import LoadingReport


@dataclass(frozen=True)
class Options(ViewOptions):
    """Load videos as training or testing does, and show where the time goes.

    Measures opening, decoding, resizing and handing over, and the videos per second of each decoder and number of
    loader processes. Times are medians, with the files in the system's cache.

    Attributes:
        paths (PATH): Videos, folders of videos, lists, Kinetics CSVs or indices (.parquet).
        root: Folder of the videos that lists name. By default that of the list.
        mode: Views: all clips of a test, or one random training clip.
        decoders (NAME,...): Decoders. By default all that work here.
        workers (N,...): Numbers of loader processes. By default 0, 1, 2, 4, ... up to the number of cores.
        videos: Number of videos to measure, evenly spread over all.
        repeats: Number of measurements of every time; their median counts.
        time_limit (SECONDS): Time after which a video counts as failed.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        json: Print one JSON object and nothing else.
    """

    paths: tuple[str, ...]
    root: str | None = None
    mode: Literal["test", "train"] = "test"
    decoders: str | None = None
    workers: str | None = None
    videos: int = 8
    repeats: int = 3
    time_limit: float = TIME_LIMIT
    device: str = "auto"
    json: bool = False

    def __post_init__(self) -> None:
        require_positive("--videos", self.videos)
        require_positive("--repeats", self.repeats)


def run(options: Options) -> int:
    """Measure, and print the report.

    Args:
        options: Options of the command.

    Returns:
        0, also if some videos failed: they are named and counted.
    """
    workers, decoders = worker_counts(options.workers), _decoders(options.decoders)
    plan = options.plan(train=options.mode == "train", crop_size=max(options.short_side * 7 // 8, 1))  # 224 of 256
    from videogn.bench.loading_report import measure_loading
    from videogn.bench.workload import Workload, find_records, spread
    from videogn.cli.progress import bars
    from videogn.system.devices import device_named

    with bars() as progress:
        report = measure_loading(
            Workload(spread(find_records(options.paths, options.root), options.videos), plan),
            decoders=decoders,
            workers=workers,
            repeats=options.repeats,
            time_limit=options.time_limit,
            device=device_named(options.device),
            progress=progress,
        )
    if options.json:
        print(json.dumps(_as_json(report, options), indent=2))
    else:
        _print(report)
    for failure in report.failed:
        name_failure(failure.path, failure.reason)
    return 0


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


def _as_json(report: LoadingReport, options: Options) -> dict[str, Any]:
    import torch

    found = asdict(report)
    videos = {name: found.pop(name) for name in ("expected", "measured", "failed")}
    names = ("mode", "clips", "clip_length", "interval", "protocol", "crops", "short_side", "fps", "repeats")
    settings = {name: getattr(options, name) for name in names}
    machine = {"cores": available_cores(), "torch": torch.__version__, "threads": 1, "files": "in the system's cache"}
    return {"videos": videos, "settings": settings, "machine": machine, **found}


def _print(report: LoadingReport) -> None:
    from videogn.cli.plain_console import PlainConsole

    console = PlainConsole(120)
    count = f"{report.measured} of {report.expected} videos"
    console.print(f"{count}; medians, files in the system's cache, one thread for torch and for each decoder")
    console.print(_stage_table(report))
    console.print(_worker_table(report))
    for sentence in report.suggestions:
        console.print(f"- {sentence}")


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Column, Table

    numbers = (Column(name, justify="right", overflow="fold") for name in columns)
    return Table(first, *numbers, title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))


def _stage_table(report: LoadingReport) -> Table:
    columns = ("open", "decode", "resize", "in all", "videos/s", "frames/s", "failed")
    table = _table("Milliseconds a video, in one process", "decoder", columns)
    for name, times in report.decoders.items():
        if not times.measured:
            table.add_row(name, *["-"] * 6, next(iter(times.failed.values()), ""))
            continue
        stages = (times.open_s, times.decode_s, times.resize_s, times.total_s)
        rates = (f"{times.videos_per_s:.1f}", f"{times.frames_per_s:.0f}")
        failed = f"{len(times.failed)} of {times.measured + len(times.failed)}"
        label = f"{name} ({times.fallbacks} by pyav)" if times.fallbacks else name
        table.add_row(label, *(f"{1000 * seconds:.1f}" for seconds in stages), *rates, failed)
    transfer = report.transfer
    table.add_section()
    table.add_row("worker to main process", *[""] * 3, f"{1000 * transfer.worker_to_main_s:.1f}")
    if transfer.host_to_device_s is not None:
        table.add_row("main process to device", *[""] * 3, f"{1000 * transfer.host_to_device_s:.1f}")
    return table


def _worker_table(report: LoadingReport) -> Table:
    # A machine may have many cores, but there are few decoders.
    decoders = dict.fromkeys(each.decoder for each in report.throughput)
    table = _table("Videos/s (frames/s) by number of workers", "workers", list(decoders))
    for number in dict.fromkeys(each.workers for each in report.throughput):
        rates = {each.decoder: each for each in report.throughput if each.workers == number}
        table.add_row(str(number), *(f"{rates[d].videos_per_s:.1f} ({rates[d].frames_per_s:.0f})" for d in decoders))
    return table
