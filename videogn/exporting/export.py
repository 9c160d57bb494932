"""A source -> a file in one of the formats."""

from __future__ import annotations

from pathlib import Path

import torch

from videogn.choices import ExportFormatName
from videogn.exporting.formats import FORMATS, require_packages
from videogn.exporting.graph import Graph
from videogn.exporting.metadata import describe
from videogn.inference import load_network
from videogn.system.files import replacing


def export(source: str | Path, form: ExportFormatName, out: str | Path) -> None:
    """Write a network in one of the formats.

    Args:
        source: Source of the network, as `load_network` takes it.
        form: Name of the format, a key of `FORMATS`.
        out: File to write.

    Raises:
        ModuleNotFoundError: A package that the format needs is missing.
    """
    require_packages(form)
    net, about = load_network(source)
    clips = torch.randn(2, 3, about["clip_length"], about["crop_size"], about["crop_size"])
    graph = Graph(net, clips, (0,), describe(about, tuple(clips.shape), (0,)))
    with replacing(out) as temporary:
        FORMATS[form].save(FORMATS[form].convert(graph), temporary, graph.text)
