"""The cells of a section as a table: settings down, norms across, seeds inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from videogn.study.cell import Cell, Norm, Section
from videogn.study.cell_files import CellResult


@dataclass(frozen=True)
class Clip:
    """What clips are and how the network starts: all of a setting but its batch size.

    Attributes:
        length: T, frames.
        interval: frames from one to the next.
        memory_mode: what the forward pass keeps.
        start: which of the section's initial weights, by number: norms may have different ones under one number.
    """

    length: int
    interval: int
    memory_mode: str
    start: int


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        clip: what clips are.
        batch_size: clips per normalisation batch.
    """

    clip: Clip
    batch_size: int


class Layout:
    """The cells of a section in order.

    Attributes:
        section: whose cells.
        norms: columns, in the grid's order.
        rows: short clips first, large batches first.
        clips: of the rows, each once.
        seeds: of all cells.
    """

    def __init__(self, section: Section, results: Mapping[Cell, CellResult]) -> None:
        self.section = section
        self.norms = tuple(dict.fromkeys(cell.norm for cell in section.cells))
        self._starts = {
            norm: list(dict.fromkeys(cell.init for cell in section.cells if cell.norm == norm)) for norm in self.norms
        }
        rows = {self._row(cell) for cell in section.cells}
        modes = list(dict.fromkeys(cell.memory_mode for cell in section.cells))
        self.rows = tuple(
            sorted(
                rows,
                key=lambda row: (
                    *(row.clip.length, row.clip.interval, modes.index(row.clip.memory_mode), row.clip.start),
                    -row.batch_size,
                ),
            )
        )
        self.clips = tuple(dict.fromkeys(row.clip for row in self.rows))
        self.seeds = tuple(sorted({cell.seed for cell in section.cells}))
        self._planned: dict[tuple[Row, Norm], int] = {}
        self._results: dict[tuple[Row, Norm], dict[int, CellResult]] = {}
        for cell in section.cells:
            place = self._row(cell), cell.norm
            self._planned[place] = self._planned.get(place, 0) + 1
            if (result := results.get(cell)) is not None:
                self._results.setdefault(place, {})[cell.seed] = result

    def results(self, row: Row, norm: Norm) -> dict[int, CellResult]:
        """Seed -> result of the finished cells."""
        return dict(sorted(self._results.get((row, norm), {}).items()))

    def planned(self, row: Row, norm: Norm) -> int:
        """Cells, finished or not: seeds."""
        return self._planned.get((row, norm), 0)

    @property
    def finished(self) -> list[CellResult]:
        """Every finished cell, by row and norm."""
        return [result for row in self.rows for norm in self.norms for result in self.results(row, norm).values()]

    def batch_sizes(self, clip: Clip) -> list[int]:
        """Of a clip, the largest first."""
        return [row.batch_size for row in self.rows if row.clip == clip]

    @property
    def head(self) -> list[str]:
        """Titles of the columns that `cells` fills."""
        return ["clip length x interval", "batch size", *(["memory mode"] if self._modes else []), *self._start_head]

    def cells(self, row: Row) -> list[str]:
        """A row's setting; what does not vary is left out."""
        clip = row.clip
        cells = [f"{clip.length} x {clip.interval}", str(row.batch_size)]
        return [*cells, *([clip.memory_mode] if self._modes else []), *self._start_cells(clip)]

    def clip_label(self, clip: Clip) -> str:
        """For instance "16 x 1", or "16 x 1, lean" where memory modes vary."""
        parts = [f"{clip.length} x {clip.interval}", *([clip.memory_mode] if self._modes else [])]
        return ", ".join([*parts, *self._start_cells(clip)])

    def label(self, row: Row) -> str:
        """For instance "16 x 1, batch 2"."""
        return f"{self.clip_label(row.clip)}, batch {row.batch_size}"

    def weights(self, start: int) -> str:
        """Where the initial weights come from: one source, or one for each norm."""
        found = {norm: starts[start] for norm, starts in self._starts.items() if start < len(starts)}
        named = {norm: "random" if source is None else source for norm, source in found.items()}
        sources = set(named.values())
        return sources.pop() if len(sources) == 1 else "; ".join(f"{norm.label}: {s}" for norm, s in named.items())

    @property
    def starts(self) -> list[int]:
        """Numbers of the initial weights."""
        return sorted({clip.start for clip in self.clips})

    @property
    def _modes(self) -> bool:
        return len({clip.memory_mode for clip in self.clips}) > 1

    @property
    def _start_head(self) -> list[str]:
        return ["initial weights"] if len(self.starts) > 1 else []

    def _start_cells(self, clip: Clip) -> list[str]:
        return [self.weights(clip.start)] if len(self.starts) > 1 else []

    def _row(self, cell: Cell) -> Row:
        start = self._starts[cell.norm].index(cell.init)
        return Row(Clip(cell.clip_length, cell.interval, cell.memory_mode, start), cell.batch_size)


def accuracy(result: CellResult, name: str = "top1") -> float | None:
    """Accuracy over all test videos, per cent; None where not all were tested."""
    value = result.test["over_all"][name]
    return None if value is None else 100 * float(value)


def accuracies(results: Mapping[int, CellResult]) -> list[float]:
    """Top-1 of each seed, per cent."""
    return [value for result in results.values() if (value := accuracy(result)) is not None]
