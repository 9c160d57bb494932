"""Where `videogn predict` computes: in this process, or by Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videogn.choices import CropsName, DecoderName, EngineName, PredictPrecisionName, ProtocolName

if TYPE_CHECKING:
    from videogn.cli.score_output import Output


@dataclass(frozen=True)
class EngineOptions:
    """What the options of the command say about the network, and where it computes; see there."""

    engine: EngineName
    address: str | None
    jobs: int | None
    timeline: float | None
    plot: str | None
    overlay: str | None
    explain: str | None
    checkpoint: str
    clips: int | None
    protocol: ProtocolName | None
    crops: CropsName | None
    fps: float | None
    decoder: DecoderName
    frame_rate: float
    device: str
    precision: PredictPrecisionName
    compile: bool
    use_truncated: bool
    time_limit: float
    trust: tuple[str, ...]


def check_engine(options: EngineOptions, output: Output | None) -> None:
    """Check that the options go together with the engine.

    Args:
        options: EngineOptions of the command.
        output: Where rows go to; None for standard output.

    Raises:
        ValueError: They do not.
    """
    if options.engine == "local":
        for flag, given in (("--address", options.address), ("--jobs", options.jobs)):
            if given is not None:
                raise ValueError(f"{flag} is about --engine ray, and the engine is local")
        return
    if output is None or not output.kept:
        raise ValueError("--engine ray keeps its rows in a file, in parts as they come: name one with --output")
    for flag in ("timeline", "plot", "overlay", "explain"):
        if getattr(options, flag) is not None:
            raise ValueError(f"--{flag} is made by this process: leave out --engine ray")


@contextmanager
def opened_predictor(options: EngineOptions) -> Iterator[Any]:
    """Make the `Predictor` that the options say, or the `RayPredictor` in its place, which is closed afterwards.

    Args:
        options: EngineOptions of the command.

    Yields:
        The predictor.
    """
    settings: dict[str, Any] = {
        "num_clips": options.clips,
        "protocol": options.protocol,
        "crops": options.crops,
        "fps": options.fps,
        "decoder": options.decoder,
        "frame_rate": options.frame_rate,
        "device": options.device,
        "precision": options.precision,
        "compile": options.compile,
        "use_truncated": options.use_truncated,
        "time_limit": options.time_limit,
        "trust": options.trust,
    }
    if options.engine == "local":
        from videogn.inference.predictor import Predictor

        yield Predictor(options.checkpoint, **settings)
        return
    from videogn.inference.bulk.ray_scoring import RayPredictor

    with closing(RayPredictor(options.checkpoint, address=options.address, jobs=options.jobs, **settings)) as predictor:
        yield predictor
