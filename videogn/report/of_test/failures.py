"""The videos of a test that failed, by reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from videogn.report.document_blocks import Block, Heading, Paragraph, Table
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.system.displayable import one_line
from videogn.system.sizes import counted

#: Reasons that have a line.
_REASONS = 20


def failure_blocks(results: ResultsFolder) -> list[Block]:
    """Tabulate the reasons why videos failed, and why PyAV took the place of the decoder that was asked for."""
    failed, instead = results.summary["failed"], results.summary.get("decoded_by_pyav_instead") or []
    blocks: list[Block] = [Heading("Failures")]
    if failed:
        blocks.append(_table(failed, "Videos without scores, by reason. Each counts as wrong over all videos."))
    else:
        blocks.append(Paragraph("No video failed."))
    if instead:
        text = "Videos that PyAV decoded in the place of the decoder that was asked for, by reason."
        blocks.append(_table(instead, text))
    return blocks


def _table(videos: Iterable[Mapping[str, str]], caption: str) -> Table:
    """Reasons that differ only in their numbers (a frame, a time) are one."""
    groups: dict[str, list[Mapping[str, str]]] = {}
    for video in videos:
        groups.setdefault(re.sub(r"\d+(\.\d+)?", "#", video["reason"]), []).append(video)
    ranked = sorted(groups.values(), key=len, reverse=True)
    rows = [
        [one_line(group[0]["reason"]), one_line(PurePath(group[0]["path"]).name), f"{len(group):,}"]
        for group in ranked[:_REASONS]
    ]
    rest = sum(map(len, ranked[_REASONS:]))
    more = f" {counted(rest, 'further video')} with {counted(len(ranked) - _REASONS, 'other reason')}." if rest else ""
    return Table(["reason", "for instance", "videos"], rows, caption + more, 2)
