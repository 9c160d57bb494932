"""videogn study cell: one prepared cell on this process's devices, as job arrays run it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from videogn.checks import expanded
from videogn.system.displayable import one_line
from videogn.system.stopping import StopEvent, Stopped, asking


@dataclass(frozen=True)
class Options:
    """Train and test one cell, from wherever it stopped; a finished cell is left as it is.

    When it is asked to end, by `kill` (status 143) or Ctrl-C (130), the training run writes a checkpoint first.

    Attributes:
        folder: Folder of the cell, STUDY/cells/NAME.
        trust (PACKAGE): Packages that its configuration may name a norm, a network and so on from.
    """

    folder: str
    trust: tuple[str, ...] = field(default=(), kw_only=True)


def run(options: Options) -> int:
    """Run the cell.

    Args:
        options: Options of the command.

    Returns:
        0 finished, 1 failed.

    Raises:
        Stopped: It was asked to end; the same command goes on.
    """
    from videogn.study.running import run_cell

    with asking(StopEvent()) as stop:
        state = run_cell(expanded(options.folder).resolve(), trust=options.trust, stop=stop)
    if state.phase == "stopped":
        raise Stopped(stop.number, f"{state.cell.name} is not finished; the same command goes on")
    said = f"{state.cell.name} {state.phase}" + (f": {state.reason}" if state.reason else "")
    print(one_line(said), file=sys.stderr)
    return int(state.phase != "finished")
