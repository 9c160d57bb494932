"""Every cell of a study, and the commands, grids, protocol, versions and machines behind it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from videogn.report.clip_counts import ClipFiles
from videogn.report.document_blocks import DASH, Block, Bullets, Code, Heading, Paragraph, Table
from videogn.report.layout import are_images
from videogn.report.number_format import listing
from videogn.study.cell_files import CellResult
from videogn.study.study_files import Study

#: Page of a test, which `videogn report` leaves beside its results.
TEST_PAGE = "report.html"


@dataclass(frozen=True)
class _Count:
    """A count of a cell, and what is said once where it is as usual in all of them."""

    title: str
    usual: int
    usually: str
    of: Callable[[CellResult], int]


_COUNTS = (
    _Count("attempts", 1, "Each took one run.", lambda result: result.attempts),
    _Count("failed videos", 0, "All videos decoded.", lambda result: int(result.test["counts"]["failed"])),
    _Count(
        "without scores",
        0,
        "All numbers of the networks were finite.",
        lambda result: int(result.test["counts"].get("without_scores", 0)),
    ),
)


def cell_blocks(study: Study) -> list[Block]:
    """List finished cells with their numbers and the pages of their tests, unfinished ones with their reasons."""
    blocks: list[Block] = [Heading("Every cell", 3)]
    if study.results:
        # What is usual in all cells takes no column.
        columns = [
            column for column in _COUNTS if any(column.of(one) != column.usual for one in study.results.values())
        ]
        usual = "".join(f" {column.usually}" for column in _COUNTS if column not in columns)
        rows = [
            [
                result.cell.name,
                _percent(result.test["over_all"]["top1"]),
                _percent(result.test["per_clip_top1"]),
                *(str(column.of(result)) for column in columns),
            ]
            for result in study.results.values()
        ]
        pages = [_page(study, result) for result in study.results.values()]
        linked = " A name leads to the page of the cell's test." if any(pages) else ""
        caption = (
            "Finished cells: accuracy (%) over all test videos, a video without scores counting as wrong; of single "
            f"clips over the videos that decode.{usual}{linked}"
        )
        head = ["cell", "top-1", "top-1 of single clips", *(column.title for column in columns)]
        blocks.append(Table(head, rows, caption, links=pages if any(pages) else ()))
    if study.unfinished:
        unfinished = [[cell.name, phase, reason or DASH] for cell, (phase, reason) in study.unfinished.items()]
        blocks.append(Table(["cell", "state", "reason"], unfinished, "Unfinished cells.", 3))
    return blocks


def _page(study: Study, result: CellResult) -> str | None:
    """Address of the page of a cell's test, relative to the study's folder; None where there is none."""
    page = result.folder / TEST_PAGE
    return quote(page.relative_to(study.folder).as_posix()) if page.is_file() else None


def method_blocks(study: Study, files: ClipFiles) -> list[Block]:
    """List command, grid, protocol, versions and machines; warn where files contradict one another."""
    blocks: list[Block] = [Heading("How it was made", 3), Paragraph("The command:"), Code(study.command)]
    blocks += [Paragraph("The grid:"), Code(study.grid)]
    for command, grid in reversed(study.earlier):
        blocks += [Paragraph("An earlier command, and its grid:"), Code(f"{command}\n\n{grid}")]
    results = list(study.results.values())
    if results:
        first = results[0]
        blocks += [Bullets([*_test_set(results), *_contradictions(results, files), *_machines(results)])]
        blocks += [Paragraph(f"The commands of one cell, {first.cell.name}; the others differ in their configuration:")]
        blocks.append(Code("\n".join(_as_typed(command, study) for command in first.commands)))
    rows = [[name, version or "not installed"] for name, version in study.versions.items()]
    return [*blocks, Table(["package", "version"], rows, "Versions.", 2)] if rows else blocks


def _test_set(results: Iterable[CellResult]) -> list[str]:
    """Describe the test, with a warning where not all cells were tested alike."""
    results = list(results)
    videos = sorted({result.test["counts"]["expected"] for result in results})
    classes = sorted({len(result.test["per_class"]) for result in results})
    seeds = sorted({result.cell.seed for result in results})
    protocols = _distinct(protocol_in_words(result.test["protocol"]) for result in results)
    images = all(are_images(result.test["protocol"]) for result in results)
    items = [
        f"Test: {listing(videos)} {'images' if images else 'videos'} of {listing(classes)} classes.",
        f"Protocol: {'; or '.join(protocols)}{'' if images else '; clip length and interval as trained'}.",
        f"Seeds: {listing(seeds)}.",
    ]
    hashes = _distinct(str(result.test.get("index_sha256")) for result in results)
    if len(hashes) > 1:
        items.append("Warning: not all cells were tested on the same list of videos; they should not be compared.")
    elif hashes != ["None"]:
        items.append(f"SHA-256 of the list of test videos: {hashes[0]}.")
    return items


def _contradictions(results: Iterable[CellResult], files: ClipFiles) -> list[str]:
    """Clip files that give another accuracy than the test did, by more than one tie between two classes."""
    names = []
    for result in results:
        hits, top1 = files.hits(result), result.test["over_all"]["top1"]
        if hits is not None and top1 is not None and abs(hits.correct.mean() - top1) > 1.5 / len(hits.hits):
            names.append(result.cell.name)
    return [f"Warning: the clip file does not give the accuracy of the test: {listing(names)}."] if names else []


def protocol_in_words(protocol: Mapping[str, Any]) -> str:
    """Describe how videos were seen, from the entry of results.json."""
    short = protocol.get("short_side")
    side = "" if short is None else f", short side {short} pixels"
    rate = f", at {protocol['fps']:g} frames per second" if protocol.get("fps") else ""
    starts, crops = protocol["starts"], protocol.get("crops", DASH)
    aliased = "" if protocol.get("antialias", True) else ", frames not antialiased"
    if are_images(protocol):
        return f"one view an image, crops {crops}{side}{aliased}"
    return f"{protocol['clips']} clips a video{rate}, starts {starts}, crops {crops}{side}{aliased}"


def _machines(results: Iterable[CellResult]) -> list[str]:
    machines = _distinct(
        ", ".join(
            f"{key.replace('_', ' ')} {_plain(value)}"
            for key, value in result.machine.items()
            if value is not None and key != "visible_devices"
        )
        for result in results
    )
    return [f"Machine: {machine}." for machine in machines if machine]


def _as_typed(command: Sequence[str], study: Study) -> str:
    """A command as one would type it in the study's folder: no interpreter, no places of this machine."""
    arguments = list(command[command.index("-m") + 1 :] if "-m" in command else command)
    return shlex.join(arguments).replace(f"{study.folder.resolve()}/", "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
