"""The cells of a section as a table: settings down, norms across, seeds inside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from videogn.report.statistics import Interval, accuracy_interval
from videogn.study.cell import Cell, Norm, Section, norm_labels
from videogn.study.cell_files import CellResult
from videogn.study.study_files import Study

#: More norms than these side by side are wider than a page.
MOST_ACROSS = 4


@dataclass(frozen=True)
class Clip:
    """A setting without its batch size: the clips, the memory mode and the initial weights.

    Attributes:
        length: Frames in a clip, T.
        interval: Frames from one frame of a clip to the next.
        memory_mode: Activations that the forward pass keeps.
        start: Number of the initial weights within the section; norms may have different weights under one number.
        schedule: Shapes of the batches: constant, or a kind of multigrid.
    """

    length: int
    interval: int
    memory_mode: str
    start: int
    schedule: str


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        clip: The clips.
        batch_size: Clips per normalisation batch.
    """

    clip: Clip
    batch_size: int


class Layout:
    """The cells of a section in order.

    Attributes:
        section: The section.
        norms: Columns, in the grid's order.
        labels: Norm -> its name, distinct.
        rows: Settings, short clips first, large batches first.
        clips: Clips of the rows, each once.
        seeds: Seeds of the finished cells.
        missing_seeds: Seeds of which no cell is finished.
        new_rows: Rows with a cell that no earlier section has.
    """

    def __init__(self, section: Section, results: Mapping[Cell, CellResult], before: Collection[Cell] = ()) -> None:
        self.section = section
        self.norms = tuple(dict.fromkeys(cell.norm for cell in section.cells))
        self.labels = norm_labels(self.norms)
        self._starts = {
            norm: list(dict.fromkeys(cell.init for cell in section.cells if cell.norm == norm)) for norm in self.norms
        }
        modes = list(dict.fromkeys(cell.memory_mode for cell in section.cells))
        schedules = list(dict.fromkeys(cell.schedule for cell in section.cells))

        def order(row: Row) -> tuple[int, ...]:
            clip = row.clip
            turns = modes.index(clip.memory_mode), clip.start, schedules.index(clip.schedule)
            return clip.length, clip.interval, *turns, -row.batch_size

        self.rows = tuple(sorted({self._row(cell) for cell in section.cells}, key=order))
        new = {self._row(cell) for cell in section.cells if cell not in before}
        self.new_rows = tuple(row for row in self.rows if row in new)
        self.clips = tuple(dict.fromkeys(row.clip for row in self.rows))
        planned = {cell.seed for cell in section.cells}
        self.seeds = tuple(sorted({cell.seed for cell in section.cells if cell in results}))
        self.missing_seeds = tuple(sorted(planned - set(self.seeds)))
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
        """Number of cells, finished or not: one for each seed."""
        return self._planned.get((row, norm), 0)

    @property
    def finished(self) -> list[CellResult]:
        """Every finished cell, by row and norm."""
        return [result for row in self.rows for norm in self.norms for result in self.results(row, norm).values()]

    @staticmethod
    def of_study(study: Study) -> list[Layout]:
        """Lay out every section of a study."""
        sections = study.sections
        before = [{cell for section in sections[:number] for cell in section.cells} for number in range(len(sections))]
        return [Layout(section, study.results, known) for section, known in zip(sections, before, strict=True)]

    def batch_sizes(self, clip: Clip) -> list[int]:
        """Batch sizes of a clip, the largest first."""
        return [row.batch_size for row in self.rows if row.clip == clip]

    @property
    def unit(self) -> str:
        """What a batch consists of: "clip", or "image" where every clip has one frame."""
        return "image" if all(clip.length == 1 for clip in self.clips) else "clip"

    @property
    def example(self) -> str:
        """What a test counts: "video", or "image" where it sees one frame of each."""
        images = self.finished and all(are_images(result.test["protocol"]) for result in self.finished)
        return "image" if images else "video"

    @property
    def place_head(self) -> list[str]:
        """Titles of the columns that say which clip and batch size a row is about; of images, the batch size alone."""
        return ["batch size"] if self.unit == "image" else ["clip length x interval", "batch size"]

    @property
    def head(self) -> list[str]:
        """Titles of the columns that `cells` fills."""
        return [*self.place_head, *self._varying(self.clips[0])]

    def cells(self, row: Row) -> list[str]:
        """Setting of a row; what does not vary in the section is left out."""
        clip = row.clip
        place = [f"{clip.length} x {clip.interval}", str(row.batch_size)][-len(self.place_head) :]
        return [*place, *self._varying(clip).values()]

    def clip_label(self, clip: Clip) -> str:
        """Name of a clip, for instance "16 x 1", or "16 x 1, lean" where memory modes vary."""
        return ", ".join([f"{clip.length} x {clip.interval}", *self._varying(clip).values()])

    def of_clip(self, clip: Clip) -> str:
        """What is trained on, for instance "clips of 16 x 1", or "images"."""
        if self.unit == "clip":
            return f"clips of {self.clip_label(clip)}"
        return ", ".join(["images", *self._varying(clip).values()])

    def label(self, row: Row) -> str:
        """Name of a row, for instance "16 x 1, batch 2", or of images "batch 2"."""
        before = [self.clip_label(row.clip)] if self.unit == "clip" else self._varying(row.clip).values()
        return ", ".join([*before, f"batch {row.batch_size}"])

    def weights(self, start: int) -> str:
        """Source of the initial weights with a number: one for all norms, or one for each."""
        found = {norm: starts[start] for norm, starts in self._starts.items() if start < len(starts)}
        named = {self.labels[norm]: "random" if source is None else source for norm, source in found.items()}
        sources = set(named.values())
        return sources.pop() if len(sources) == 1 else "; ".join(f"{norm}: {source}" for norm, source in named.items())

    @property
    def starts(self) -> list[int]:
        """Numbers of the initial weights."""
        return sorted({clip.start for clip in self.clips})

    @property
    def varies_schedule(self) -> bool:
        """Whether batches of one shape are compared with those of multigrid."""
        return len({clip.schedule for clip in self.clips}) > 1

    def _varying(self, clip: Clip) -> dict[str, str]:
        """Title -> value of what varies beside clips and batch sizes."""
        modes = {"memory mode": clip.memory_mode} if len({clip.memory_mode for clip in self.clips}) > 1 else {}
        schedules = {"schedule": clip.schedule} if self.varies_schedule else {}
        return {**modes, **schedules, **({"initial weights": self.weights(clip.start)} if len(self.starts) > 1 else {})}

    def _row(self, cell: Cell) -> Row:
        start = self._starts[cell.norm].index(cell.init)
        return Row(Clip(cell.clip_length, cell.interval, cell.memory_mode, start, cell.schedule), cell.batch_size)


def accuracy(result: CellResult, name: str = "top1") -> float | None:
    """Accuracy of a cell over all test videos, per cent; None where not all were tested."""
    value = result.test["over_all"][name]
    return None if value is None else 100 * float(value)


def mean_accuracy(tests: Iterable[Mapping[str, Any]]) -> Interval | None:
    """Mean top-1 accuracy with its interval over the seeds, per cent.

    Args:
        tests: Summary of each seed's test, as in results.json.

    Returns:
        The mean over those in which all test videos were tested; None where there are none.
    """
    over_all = [test["over_all"] for test in tests if test["over_all"]["top1"] is not None]
    return accuracy_interval([100 * o["top1"] for o in over_all], over_all[0]["videos"]) if over_all else None


def accuracies(results: Mapping[int, CellResult]) -> list[float]:
    """Top-1 accuracy of each seed, per cent."""
    return [value for result in results.values() if (value := accuracy(result)) is not None]


def are_images(protocol: Mapping[str, Any]) -> bool:
    """Whether a test saw one frame of each example, from the entry of results.json."""
    return protocol.get("clip_length") == 1 and protocol["clips"] == 1
