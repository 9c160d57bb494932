"""The page of a test: its parts in order, and the files they become."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videogn.evaluation.result_folder import PAGES
from videogn.report.document_blocks import Block, Bullets, Heading, Table
from videogn.report.image_words import of_images
from videogn.report.layout import are_images
from videogn.report.markdown import render_markdown
from videogn.report.of_test.accuracy import accuracy_blocks, summary_block
from videogn.report.of_test.classes import class_blocks
from videogn.report.of_test.failures import failure_blocks
from videogn.report.of_test.kinds_of_video import kind_blocks
from videogn.report.of_test.probabilities import calibration_blocks, clip_number_blocks
from videogn.report.of_test.results_folder import ResultsFolder, read_results
from videogn.report.of_test.videos import video_blocks
from videogn.report.page import render_page
from videogn.report.provenance import protocol_in_words
from videogn.system.displayable import one_line
from videogn.system.files import write_text
from videogn.system.sizes import counted

FIGURES_FOLDER = "figures"


@dataclass(frozen=True)
class Extent:
    """How much is shown.

    Attributes:
        index: Parquet index of the videos. Default: the one that they were tested with, if there was one.
        root: Present folder of the data set, if it has moved. Default: where it was.
        videos: Number of videos of each kind that are shown. Default: 12.
        seconds: Time for their pictures; further ones are shown without. Default: 30.
    """

    index: str | None = None
    root: str | None = None
    videos: int = 12
    seconds: float = 30.0


def write_test_report(folder: str | Path, extent: Extent | None = None) -> Path:
    """Write report.md, report.html and figures/*.png beside the results of a test.

    Args:
        folder: Folder that `videogn test` wrote.
        extent: How much is shown. Default: `Extent()`.

    Returns:
        Path of report.html.

    Raises:
        FileNotFoundError: The folder, or a file of it, does not exist.
        ValueError: A file is damaged.
    """
    extent = extent or Extent()
    results = read_results(folder, root=extent.root)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a class named in another script
        blocks = _blocks(results, extent)
    markdown, page = (results.folder / name for name in PAGES)
    write_text(markdown, render_markdown(blocks, results.folder))
    write_text(page, render_page(blocks))
    return page


def _blocks(results: ResultsFolder, extent: Extent) -> list[Block]:
    figures = results.folder / FIGURES_FOLDER
    model, counts = results.summary.get("model") or {}, results.summary["counts"]
    network = " with ".join(filter(None, (model.get("arch"), str(model.get("norm") or "").upper())))
    images = are_images(results.summary.get("protocol") or {})
    example = "image" if images else "video"
    things = f"{counted(counts['expected'], example)} of {counted(len(results.classes), 'class')}"
    blocks = [
        Heading(f"Test of {one_line(network) or 'a network'} on {things}", 1),
        Heading("In short"),
        summary_block(results),
        *accuracy_blocks(results),
        *class_blocks(results, figures),
        *calibration_blocks(results, figures),
        *clip_number_blocks(results, figures),
        *kind_blocks(results, extent.index),
        *video_blocks(results, extent.videos, extent.seconds),
        *failure_blocks(results),
        *_method_blocks(results.summary),
    ]
    return of_images(blocks, results.classes) if images else blocks


def _method_blocks(summary: Any) -> list[Block]:
    protocol, videos = summary.get("protocol") or {}, summary.get("videos_from") or {}
    model = {key: value for key, value in (summary.get("model") or {}).items() if value is not None}
    facts = {
        "Checkpoint": summary.get("checkpoint"),
        "Network": ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in model.items()),
        "Protocol": _protocol(protocol) if "clips" in protocol and "starts" in protocol else None,
        "Decoder": summary.get("decoder"),
        "Videos": videos.get("given") or videos.get("root"),
        "Split": videos.get("split"),
        "SHA-256 of the list of videos": summary.get("index_sha256"),
        "Seed of the test": summary.get("seed"),
    }
    items = [f"{name}: {one_line(str(value))}." for name, value in facts.items() if value not in (None, "")]
    rows = [[name, version or "not installed"] for name, version in (summary.get("versions") or {}).items()]
    table = [Table(["package", "version"], rows, "Versions.", 2)] if rows else []
    return [Heading("How it was tested"), Bullets(items), *table]


def _protocol(protocol: Mapping[str, Any]) -> str:
    clips = "" if are_images(protocol) else f", clips of {protocol.get('clip_length')} x {protocol.get('interval')}"
    return f"{protocol_in_words(protocol)}{clips}"
