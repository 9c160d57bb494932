"""videogn bench predict: videos per second of decoding, of the network, and of both at once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from videogn.checks import require_positive
from videogn.choices import TIME_LIMIT, CropsName, DecoderName, PredictPrecisionName, ProtocolName
from videogn.cli.exits import name_failure
from videogn.cli.predictor_settings import predictor_settings
from videogn.cli.worker_counts import worker_counts
from videogn.source_names import check_source
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from videogn.bench.predicting import PredictionReport


@dataclass(frozen=True)
class Options:
    """Predict videos as `videogn predict` does, and show what the network and the decoders could do alone.

    Rates are medians, with the files in the system's cache. A share of 1 says that decoding ahead costs the network
    nothing, or the network the decoders.

    Attributes:
        paths (VIDEO): Videos, folders of videos, lists, Kinetics CSVs or indices (.parquet).
        checkpoint (SOURCE): Checkpoint of `videogn fit`, or a published network.
        clips: Number of clips per video. By default as for `videogn predict`; so are protocol and crops.
        protocol: Placement of the clips.
        crops: Part of the frame that is seen.
        decoder: Decoder; auto is pyav.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        precision: What the network computes in: 32, bf16, or auto: bf16 where the processor has it.
        compile: Compile the network.
        batch_clips: Number of clips that go through the network at once, at most, of several videos too. By default
            every video goes alone.
        workers (N,...): Numbers of decoding processes. By default 0, 1, 2, 4, ... up to the number of cores.
        videos: Number of videos to measure, evenly spread over all.
        repeats: Number of measurements of every rate; their median counts.
        time_limit (SECONDS): Time limit for decoding one video.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
        json: Print one JSON object and nothing else.
    """

    paths: tuple[str, ...]
    checkpoint: str = field(kw_only=True)
    clips: int | None = None
    protocol: ProtocolName | None = None
    crops: CropsName | None = None
    decoder: DecoderName = "auto"
    device: str = "auto"
    precision: PredictPrecisionName = "32"
    compile: bool = False
    batch_clips: int | None = None
    workers: str | None = None
    videos: int = 8
    repeats: int = 3
    time_limit: float = TIME_LIMIT
    trust: tuple[str, ...] = ()
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
    workers = worker_counts(options.workers)
    check_source(options.checkpoint)  # before the seconds that the imports take
    from videogn.bench.predicting import measure_prediction
    from videogn.bench.workload import find_records, spread
    from videogn.cli.progress import bars
    from videogn.inference import Predictor

    predictor = Predictor(options.checkpoint, **predictor_settings(options))
    with bars() as progress:
        report = measure_prediction(
            predictor,
            spread(find_records(options.paths), options.videos),
            workers=workers,
            repeats=options.repeats,
            batch_clips=options.batch_clips,
            progress=progress,
        )
    machine = _machine(predictor)
    if options.json:
        settings = {name: getattr(options, name) for name in ("checkpoint", "clips", "batch_clips", "compile")}
        settings |= {"precision": predictor.precision}
        print(json.dumps({**asdict(report), "settings": settings, "machine": machine}, indent=2))
    else:
        _print(report, machine, predictor.precision)
    for failure in report.failed:
        name_failure(failure.path, failure.reason)
    return 0


def _machine(predictor: Any) -> dict[str, Any]:
    import torch

    threads = torch.get_num_threads()
    return {"cores": available_cores(), "device": str(predictor.device), "threads": threads, "torch": torch.__version__}


def _print(report: PredictionReport, machine: dict[str, Any], precision: str) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    console = PlainConsole(120)
    measured = f"{report.expected - len(report.failed)} of {report.expected} videos"
    where = f"network in {precision} on {machine['device']}, {machine['threads']} threads of {machine['cores']} cores"
    console.print(f"{measured}; {where}")
    columns = ("decoding alone", "network alone", "both", "both / slower alone")
    numbers = (Column(name, justify="right") for name in columns)
    table = Table("workers", *numbers, title="Videos/s", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for rate in report.rates:
        values = (rate.decoding, report.network, rate.both)
        table.add_row(str(rate.workers), *(f"{value:.3g}" for value in values), f"{rate.share:.2f}")
    console.print(table)
    best = max(report.rates, key=lambda rate: rate.both)
    slower = "the network" if report.network < best.decoding else "decoding"
    console.print(f"- Use --workers {best.workers}: {best.both:.3g} videos a second; {slower} takes the time.")
