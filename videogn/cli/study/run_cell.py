"""videogn study cell: one prepared cell, in this process's devices; what job arrays call."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any

from videogn.cli.parsing import Parser

#: Status of a cell that was stopped and can go on: sysexits' "temporary failure".
STOPPED = 75


def parser() -> Parser:
    """Its arguments."""
    parser = Parser(
        prog="videogn study cell",
        description="Train and test one cell, from wherever it stopped; nothing where it is finished. SIGTERM and "
        f"Ctrl-C let the training write a checkpoint; the status is then {STOPPED}.",
    )
    parser.add_argument("folder", type=str, help="The cell's folder, STUDY/cells/NAME.")
    return parser


def run(options: Any) -> int:
    """Run it.

    Args:
        options: of the parser.

    Returns:
        0 finished, 1 failed, 75 stopped.
    """
    from videogn.study.running import run_cell

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    state = run_cell(Path(options.folder).expanduser().resolve(), stop=stop)
    about = f"{state.cell.name} {state.phase}" + (f": {state.reason}" if state.reason else "")
    print(about, file=sys.stderr)  # noqa: T201
    return {"finished": 0, "stopped": STOPPED}.get(state.phase, 1)
