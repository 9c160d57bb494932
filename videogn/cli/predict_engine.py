"""Where `videogn predict` computes: in this process, or by Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videogn.choices import EngineName

if TYPE_CHECKING:
    from videogn.cli.score_output import Output


@dataclass(frozen=True)
class EngineOptions:
    """What the options of the command say about where the network computes, and what only this process makes."""

    engine: EngineName
    address: str | None
    jobs: int | None
    timeline: float | None
    plot: str | None
    overlay: str | None
    explain: str | None


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
def opened_predictor(options: EngineOptions, checkpoint: str, settings: dict[str, Any]) -> Iterator[Any]:
    """Make the `Predictor` that the options say, or the `RayPredictor` in its place, which is closed afterwards.

    Args:
        options: EngineOptions of the command.
        checkpoint: Source of the network.
        settings: Further arguments of `Predictor`.

    Yields:
        The predictor.
    """
    if options.engine == "local":
        from videogn.inference.predictor import Predictor

        yield Predictor(checkpoint, **settings)
        return
    from videogn.inference.bulk.ray_scoring import RayPredictor

    with closing(RayPredictor(checkpoint, address=options.address, jobs=options.jobs, **settings)) as predictor:
        yield predictor
