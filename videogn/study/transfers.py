"""Tests of a cell at other clip lengths than it was trained with: each in a folder of its own, each done once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from videogn.checks import reading
from videogn.evaluation.stated_results import SUMMARY
from videogn.stated_shapes import AMOUNT, TEXT, check_present, check_shape
from videogn.study.cell import Cell
from videogn.study.cell_files import CELL_FILE, RESULT_FILE, read_json, read_state
from videogn.study.stated_cell import check_test_clips
from videogn.study.trained import half_trained
from videogn.system.files import write_json

#: Folder of a cell's further tests, one folder each.
TESTS_FOLDER = "tests"
#: A test with this file is done.
TRANSFER_FILE = "transfer.json"


class ClipOfTest(NamedTuple):
    """Clips of a test.

    Attributes:
        length: Frames in a clip, T.
        interval: Frames from one frame of a clip to the next.
    """

    length: int
    interval: int

    @property
    def name(self) -> str:
        """Name of the test's folder, for instance 64x1."""
        return f"{self.length}x{self.interval}"


@dataclass(frozen=True)
class Transfer:
    """A test of a cell at clips that it was not trained with.

    Attributes:
        clip: The clips.
        test: Content of results.json, which `videogn test` wrote.
        seconds: Time of the test.
        command: The command.
    """

    clip: ClipOfTest
    test: dict[str, Any]
    seconds: float
    command: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the file that makes the test done; `folder` is the cell's."""
        write_json(transfer_folder(folder, self.clip) / TRANSFER_FILE, asdict(self))


def other_clips(cell: Cell, clips: Sequence[ClipOfTest]) -> list[ClipOfTest]:
    """Choose the clips that a cell was not trained with, each once."""
    return [clip for clip in dict.fromkeys(clips) if clip != (cell.clip_length, cell.interval)]


def transfer_folder(folder: Path, clip: ClipOfTest) -> Path:
    """Folder of a test of the cell in `folder`."""
    return folder / TESTS_FOLDER / clip.name


def read_transfers(folder: Path) -> dict[ClipOfTest, Transfer]:
    """Read the tests that are done, short clips first.

    Args:
        folder: Folder of the cell.

    Returns:
        Clips -> the test.
    """
    read = map(_read_transfer, (folder / TESTS_FOLDER).glob(f"*/{TRANSFER_FILE}"))
    return {one.clip: one for one in sorted(read, key=lambda one: one.clip)}


def _read_transfer(path: Path) -> Transfer:
    content = read_json(path)
    with reading(path):
        check_shape(content, {"test": SUMMARY, "seconds": AMOUNT, "command": [TEXT]})
        check_present(content, ("test.over_all.top1",))
        clip = ClipOfTest(*map(int, content["clip"]))
        return Transfer(clip, content["test"], content["seconds"], tuple(content["command"]))


def missing_clips(folder: Path) -> list[ClipOfTest]:
    """List the tests that the cell in a folder is to have and has not."""
    with reading(folder / CELL_FILE):
        clips = read_json(folder / CELL_FILE).get("test_clips", [])
        check_test_clips(clips)
        wanted = [ClipOfTest(*clip) for clip in clips]
    return [clip for clip in wanted if not (transfer_folder(folder, clip) / TRANSFER_FILE).is_file()]


def is_finished(folder: Path) -> bool:
    """Whether the cell in a folder has its result and all its further tests."""
    return (folder / RESULT_FILE).is_file() and not missing_clips(folder) and not half_trained(folder)


def unfinished_state(folder: Path) -> tuple[str, str | None]:
    """Phase of an unfinished cell, and the reason or None; a cell that has grown waits for its further tests."""
    state = read_state(folder)
    if not (folder / RESULT_FILE).is_file():
        return state["phase"], state["reason"]
    if half_trained(folder):
        return "waiting", "its training was stopped before its end, and goes on"
    clips = ", ".join(clip.name for clip in missing_clips(folder))
    phase = "waiting" if state["phase"] == "finished" else state["phase"]
    return phase, state["reason"] or f"its test on clips of {clips} is missing"


def remove_tests(folder: Path) -> None:
    """Remove what tests of a cell have left: they are those of a network that is trained further."""
    for left in (folder / RESULT_FILE, *(folder / TESTS_FOLDER).glob(f"*/{TRANSFER_FILE}")):
        left.unlink(missing_ok=True)


def transfer_commands(test: Sequence[str], folder: Path) -> Iterator[tuple[ClipOfTest, list[str]]]:
    """Make the command of every test that is missing, from that of the cell's own test; later options win.

    Args:
        test: `videogn test` of the cell.
        folder: Folder of the cell.

    Yields:
        Clips, and the command.
    """
    for clip in missing_clips(folder):
        place = transfer_folder(folder, clip)
        options = {"model.clip_length": clip.length, "model.interval": clip.interval, "model.results_dir": place}
        yield clip, [*test, *(f"--{name}={value}" for name, value in options.items())]
