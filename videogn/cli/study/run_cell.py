"""videogn study cell: one prepared cell on this process's devices, as job arrays run it."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass

from videogn.checks import expanded
from videogn.system.displayable import one_line

#: Exit status of a cell that was stopped and can be resumed: sysexits' "temporary failure".
STOPPED = 75


@dataclass(frozen=True)
class Options:
    """Train and test one cell, from wherever it stopped; a finished cell is left as it is.

    On SIGTERM and Ctrl-C the training run writes a checkpoint and the exit status is 75.

    Attributes:
        folder: Folder of the cell, STUDY/cells/NAME.
    """

    folder: str


def run(options: Options) -> int:
    """Run the cell.

    Args:
        options: Options of the command.

    Returns:
        0 finished, 1 failed, 75 stopped.
    """
    from videogn.study.running import run_cell

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    state = run_cell(expanded(options.folder).resolve(), stop=stop)
    said = f"{state.cell.name} {state.phase}" + (f": {state.reason}" if state.reason else "")
    print(one_line(said), file=sys.stderr)
    return {"finished": 0, "stopped": STOPPED}.get(state.phase, 1)
