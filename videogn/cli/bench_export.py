"""videogn bench export: speed, size and agreement of a network as it is, compiled, and exported."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from videogn.checks import existing_path, require_positive
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from torch import Tensor, nn

    from videogn.bench.exports import Outcome, Variant


@dataclass(frozen=True)
class Options:
    """Compare a network with its exported files: time, size, and whether they agree.

    Everything runs on the CPU, in turn, one clip at a time; times are medians over the rounds.

    Attributes:
        networks (SOURCE): The network as for `videogn predict`, then files that `videogn export` made of it. With the
            network alone, it is exported to every format that works here, and the files are removed in the end.
        videos (VIDEO): Videos, folders of videos or lists, of each of which the clip in the middle is compared. By
            default drawn clips of moving textures.
        clips: Number of clips that are compared.
        rounds: Number of times that each network is timed.
        threads: Number of threads of torch and of all that runs the files. By default that of the cores.
        json: Print one JSON object and nothing else.
    """

    networks: tuple[str, ...]
    videos: tuple[str, ...] = ()
    clips: int = 8
    rounds: int = 10
    threads: int | None = None
    json: bool = False

    def __post_init__(self) -> None:
        for name in ("clips", "rounds", "threads"):
            if getattr(self, name) is not None:
                require_positive(f"--{name}", getattr(self, name))


def run(options: Options) -> int:
    """Measure, and print the table.

    Args:
        options: Options of the command.

    Returns:
        0, also if a format does not work here: its row says why.
    """
    source, *files = options.networks
    for file in files:
        existing_path(file)
    import torch

    from videogn.bench.exports import measure_variants
    from videogn.bench.throughput import threads
    from videogn.cli.progress import bars
    from videogn.inference import load_network

    count = options.threads or available_cores()
    net, about = load_network(source)
    with threads(count), bars() as progress, tempfile.TemporaryDirectory() as folder:
        clips, others = _clips(options, about)
        exported = [_opened(Path(file)) for file in files] or _exported(source, Path(folder), others, progress)
        found = measure_variants([*_own_variants(net), *exported], clips, rounds=options.rounds, progress=progress)
    facts = {"source": source, "clip": list(clips[0].shape), "clips": len(clips), "rounds": options.rounds}
    facts |= {"threads": count, "cores": available_cores(), "torch": torch.__version__}
    if options.json:
        print(json.dumps({**facts, "variants": [asdict(each) for each in found]}, indent=2))
    else:
        _print(found, facts)
    return 0


def _clips(options: Options, about: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The clips that are compared, and others, to calibrate on; the same ones if there are not enough videos."""
    from videogn.bench.example_clips import clips_of_videos, drawn_clips
    from videogn.bench.workload import find_records, spread
    from videogn.cli.exits import name_failure

    if options.videos:
        found = clips_of_videos(spread(find_records(options.videos), 2 * options.clips), about, name_failure)
    else:
        found = drawn_clips(2 * options.clips, about)
    return found[: options.clips], found[options.clips :] or found


def _own_variants(net: nn.Module) -> list[Variant]:
    """The network itself, in three ways."""
    import copy

    import torch

    from videogn.bench.exports import Variant

    size = sum(each.nbytes for each in (*net.parameters(), *net.buffers()))
    return [
        Variant("eager", lambda: (net, size)),
        Variant("channels last", lambda: (copy.deepcopy(net).to(memory_format=torch.channels_last_3d), size)),
        Variant("compiled", lambda: (torch.compile(net), size)),
    ]


def _opened(path: Path) -> Variant:
    from videogn.bench.exports import Variant
    from videogn.engine_files import engine_parts, open_engine

    return Variant(path.name, lambda: (open_engine(path), sum(part.stat().st_size for part in engine_parts(path))))


def _exported(
    source: str, folder: Path, clips: Sequence[Tensor], progress: Callable[[str, int, int], None]
) -> list[Variant]:
    """A file of each format, in 32 and where the format can in 8 bits; one that cannot be written says why."""
    from videogn.exporting.check import CheckFailedError
    from videogn.exporting.export import export
    from videogn.exporting.formats import FORMATS
    from videogn.exporting.int8 import INT8_FORMATS, write_int8
    from videogn.source_names import ENGINE_SUFFIXES

    paths = {form: folder / f"float32{ENGINE_SUFFIXES[form]}" for form in FORMATS}
    ways: list[tuple[str, Path, Callable[[Path], object]]] = []
    for form, path in paths.items():
        ways.append((form, path, functools.partial(export, source, form)))
    for form in INT8_FORMATS:
        small = functools.partial(write_int8, paths["onnx"], form, clips=clips)
        ways.append((f"{form}, int8", folder / f"int8{ENGINE_SUFFIXES[form]}", small))
    variants = []
    for number, (name, path, write) in enumerate(ways):
        progress("Exporting", number, len(ways))
        try:
            write(path)
        except FileNotFoundError:
            variants.append(_missing(name, ValueError("it is made of the ONNX file, which could not be written")))
        except (ModuleNotFoundError, ValueError, CheckFailedError) as error:
            variants.append(_missing(name, error))
        else:
            variants.append(replace(_opened(path), name=name))
    return variants


def _missing(name: str, error: Exception) -> Variant:
    from videogn.bench.exports import Variant

    def fail() -> NoReturn:
        raise error

    return Variant(name, fail)


def _print(found: Sequence[Outcome], facts: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    console = PlainConsole(120)
    frames, height, width = facts["clip"][2:]
    console.print(
        f"{facts['source']}: one clip of {frames} x {height} x {width} at a time on {facts['threads']} of "
        f"{facts['cores']} cores; medians of {facts['rounds']} rounds, agreement over {facts['clips']} clips"
    )
    names = ("MB", "ms/clip", "quartiles", "CPU ms", "x eager", "max diff", "top-1")
    columns = (Column(name, justify="right", overflow="fold") for name in names)
    table = Table("network", *columns, box=box.SIMPLE, padding=(0, 1, 0, 0))
    for each in found:
        table.add_row(each.name, *_cells(each))
    console.print(table)
    for each in found:
        if each.error is not None:
            console.print(f"{each.name}: {each.error}", soft_wrap=True)


def _cells(each: Outcome) -> tuple[str, ...]:
    found = each.measured
    if found is None:
        return ("-",) * 7
    low, high = found.quartiles_s
    return (
        f"{found.bytes / 1e6:.1f}",
        f"{1000 * found.clip_s:.3g}",
        f"{1000 * low:.3g}-{1000 * high:.3g}",
        f"{1000 * found.processor_s:.3g}",
        f"{found.ratio:.2f}",
        f"{found.difference:.1e}",
        f"{found.agreement:.0%}",
    )
