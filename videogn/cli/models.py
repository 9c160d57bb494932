"""videogn models: the networks that can be trained, and the published ones that can be used as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from videogn.checks import did_you_mean
from videogn.choices import ARCH, NetworkInput

_LEGEND = """
Multiply-adds are those of one clip of that size. Clips are frames x interval,
or frames at a rate. Norms: `every` one that --model.norm takes, or `most`, not
{others}, which need more than a layer's place.
Top-1 is in percent on Kinetics-400, as its publishers state it, with so many
views (clips x crops) of a video; it was not measured here."""


@dataclass(frozen=True)
class Options:
    """List the networks that can be trained, and the published ones that can be used as they are.

    An architecture is what `videogn fit --model.arch` takes; a source is what `videogn predict --checkpoint`,
    `videogn test --ckpt_path` and `videogn fit --model.init_from` take.

    Attributes:
        names (NAME): Parts of names, for instance x3d or torchvision; all networks by default.
        json: Print everything as JSON, with the protocol and the licence of every source.
    """

    names: tuple[str, ...] = field(default=(), metadata={"positional": True})
    json: bool = False


def run(options: Options) -> int:
    """List the networks and sources whose names have one of the parts.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: No name has any of the parts.
    """
    from videogn.cli.progress import bar
    from videogn.models import MODELS
    from videogn.models.image_networks import IMAGE_SIDES
    from videogn.models.network_sources import published_networks

    published = dict(published_networks())
    wanted = [name.lower() for name in options.names] or [""]
    sources = {source for source, network in published.items() if _has(wanted, source, network.arch)}
    named = {network.arch for source, network in published.items() if _has(wanted, source)}
    architectures = [arch for arch in MODELS if _has(wanted, arch) or arch in named]
    if not architectures:
        given = " or ".join(options.names)
        raise ValueError(f"no network is named like {given}{did_you_mean(options.names[0], [*MODELS, *published])}")
    inputs: dict[str, NetworkInput] = {ARCH: NetworkInput()}
    for arch, side in IMAGE_SIDES.items():
        inputs[arch] = NetworkInput(clip_length=1, interval=1, crop_size=side, short_side=side)
    for network in published.values():
        inputs.setdefault(network.arch, network.views)
    rows = []
    with bar("Counting multiply-adds") as progress:
        for done, arch in enumerate(architectures):
            progress(done, len(architectures))
            rows.append(_architecture(arch, inputs.get(arch, NetworkInput())))
    source_rows = [_source(source, network) for source, network in published.items() if source in sources]
    if options.json:
        print(json.dumps({"architectures": rows, "sources": source_rows}, indent=2))
    else:
        _print(rows, source_rows)
    return 0


def _has(parts: Sequence[str], *names: str) -> bool:
    return any(part in name.lower() for part in parts for name in names)


def _architecture(arch: str, clip: NetworkInput) -> dict[str, Any]:
    from videogn.models import MODELS
    from videogn.models.architectures import norms_of
    from videogn.models.network_size import network_size

    parameters, multiply_adds = network_size(MODELS[arch], (clip.clip_length, clip.crop_size, clip.crop_size))
    size = {"parameters": parameters, "multiply_adds": multiply_adds, "norms": norms_of(arch)}
    return {"name": arch, **size, **_input(clip)}


def _source(source: str, network: Any) -> dict[str, Any]:
    views = network.views
    crops = {"num_clips": views.num_clips, "protocol": views.protocol, "crops": views.crops}
    accuracy = {"published_top1": network.top1, "licence": network.licence}
    return {"name": source, "arch": network.arch, "norm": network.norm, **_input(views), **crops, **accuracy}


def _input(clip: NetworkInput) -> dict[str, Any]:
    return {key: getattr(clip, key) for key in ("clip_length", "interval", "fps", "crop_size", "short_side")}


def _print(architectures: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, Any]]) -> None:
    from videogn.cli.plain_console import PlainConsole
    from videogn.norm import NORMS, make_norm

    console = PlainConsole(100)
    table = _table("architecture", "<parameters", "<multiply-adds", "clip", "<crop", "norms")
    most = len(NORMS)
    for row in architectures:
        size = (f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.3f} G")
        norms = {most: "every", 1: row["norms"][0]}.get(len(row["norms"]), "most")
        table.add_row(row["name"], *size, _clip(row), str(row["crop_size"]), norms)
    console.print(table)
    kinds = dict.fromkeys(row["name"].partition(":")[0] for row in sources)
    for kind in kinds:
        mine = [row for row in sources if row["name"].startswith(f"{kind}:")]
        console.print(f"\n{kind}:NAME, licence of the weights: {mine[0]['licence']}", soft_wrap=True)
        table = _table("name", "clip", "<crop", "<views", "<top-1")
        for row in mine:
            views = f"{row['num_clips']} x {3 if row['crops'] == 'three_crop' else 1}"
            top1 = f"{row['published_top1']:.1f}"
            table.add_row(row["name"].removeprefix(f"{kind}:"), _clip(row), str(row["crop_size"]), views, top1)
        console.print(table)
    others = ", ".join(norm for norm in NORMS if not make_norm(norm).is_layer_only)
    console.print(_LEGEND.format(others=others))


def _table(*titles: str) -> Any:
    """A table without lines; a title that begins with < heads numbers."""
    from rich.table import Column, Table

    columns = [Column(title.lstrip("<"), justify="right" if title[0] == "<" else "left") for title in titles]
    for column in columns:
        column.no_wrap = True
    return Table(*columns, box=None, padding=(0, 1, 0, 0), pad_edge=False)


def _clip(row: Mapping[str, Any]) -> str:
    """Frames and interval, as 8x8, or frames and their rate."""
    if row["fps"] is None:
        return f"{row['clip_length']}x{row['interval']}"
    return f"{row['clip_length']} at {row['fps']:g} fps"
