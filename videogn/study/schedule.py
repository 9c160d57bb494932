"""All cells of a study through an engine: each once, failures named and tried again as asked, stopped cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from videogn.checks import require_at_least
from videogn.study.cell import Cell
from videogn.study.cell_files import CellState, part_done, read_state, write_state
from videogn.study.engines import Engine
from videogn.study.study_files import cell_folder, only_one
from videogn.study.transfers import is_finished
from videogn.system.room import NO_ROOM
from videogn.system.stopping import StopEvent, Stopped, asking


def run_cells(
    cells: Sequence[Cell],
    out: Path,
    engine: Engine,
    *,
    retries: int = 0,
    retry_failed: bool = True,
    report: Callable[[CellState], None] = lambda state: None,
) -> dict[Cell, CellState]:
    """Run every cell that is not finished. On a signal that asks to end, training runs write a checkpoint and end.

    A second one ends them at once.

    Once a cell has failed for want of room on the disk no other is begun: those stay waiting.

    Args:
        cells: Cells in the order to begin them; their folders are prepared.
        out: Folder of the study.
        engine: Engine that runs them.
        retries: Number of times that a failed cell is tried again in this run, from its checkpoint, unless its numbers
            were not finite: they would be so again.
        retry_failed: Whether cells that failed in an earlier run are tried again.
        report: Called from several threads whenever a cell's state may have changed.

    Returns:
        The state of every cell.

    Raises:
        Stopped: It was asked to end; everything has been written by then.
        ValueError: Another run is at work in the folder.
    """
    require_at_least("retries", retries, 0)
    states = {cell: _state_before(cell, cell_folder(out, cell), retry_failed) for cell in cells}
    for state in states.values():
        report(state)
    stop, full = StopEvent(), threading.Event()
    waiting = [cell for cell, state in states.items() if state.phase == "waiting"]

    def run(cell: Cell) -> CellState:
        for _ in range(retries + 1):
            if stop.is_set() or full.is_set():
                return states[cell]
            state = _attempt(engine, cell, cell_folder(out, cell), stop, report)
            if state.reason and NO_ROOM.search(state.reason):
                full.set()  # another attempt, or another cell, would only meet it too
                break
            if state.phase != "failed" or state.repeats:
                break
        return state

    with only_one(out), asking(stop), ThreadPoolExecutor(max(engine.slots, 1)) as pool:
        futures = {cell: pool.submit(run, cell) for cell in waiting}
        for cell, future in futures.items():
            states[cell] = future.result()
    if stop.is_set():
        raise Stopped(stop.number)
    return states


def _state_before(cell: Cell, folder: Path, retry_failed: bool) -> CellState:
    """State of a cell before the run: finished, failed and to be left alone, or waiting."""
    if is_finished(folder):
        return CellState(cell, "finished", 1.0)
    before = read_state(folder)
    if before["phase"] == "failed" and not retry_failed and not NO_ROOM.search(before["reason"] or ""):
        return CellState(cell, "failed", reason=before["reason"])
    return CellState(cell, "waiting", part_done(folder))


def _attempt(
    engine: Engine, cell: Cell, folder: Path, stop: StopEvent, report: Callable[[CellState], None]
) -> CellState:
    """One attempt; whatever goes wrong with one cell is that cell's failure, and the others go on."""
    try:
        return engine.run(folder, stop, report)
    except BlockingIOError as error:  # whoever runs it writes its state
        state = CellState(cell, "failed", reason=str(error))
        report(state)
        return state
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        state = CellState(cell, "stopped" if stop.is_set() else "failed", reason=text)
        with suppress(OSError):  # on a full disk; the next run goes by the files of the cell
            write_state(folder, phase=state.phase, reason=state.reason)
        report(state)
        return state
