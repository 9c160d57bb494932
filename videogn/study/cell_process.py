"""The process of one command of a cell: run to its end, or asked to stop; and what its log says of a failure."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from videogn.system.leash import leashed
from videogn.system.memory_errors import OUT_OF_MEMORY
from videogn.system.room import NO_ROOM, lack_of_room
from videogn.system.stopping import STATUSES, StopEvent

_POLL_SECONDS = 0.5
#: Seconds within which a training run that is asked to stop finishes its step and writes a checkpoint.
_PATIENCE = 60.0
#: Seconds within which a signal to all processes reaches all of them.
_SAME_SIGNAL = 1.0
_LOG_TAIL = 200
#: A line of a log that begins with it is a command; its output follows.
COMMAND_MARK = "$ "


@dataclass(frozen=True)
class Ended:
    """End of a command.

    Attributes:
        status: 0 on success; minus the signal where a signal ended it.
        stopped: Whether it was asked to stop.
    """

    status: int
    stopped: bool


def run_command(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str],
    stop: StopEvent,
    tick: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command to its end, or ask it to stop.

    It gets a session of its own, so that Ctrl-C reaches it through `stop` only, once, and not by the terminal as well.

    Args:
        command: Program and arguments.
        log: File that its output is appended to.
        environment: Variables of the process.
        stop: Once set, the command gets SIGTERM, and SIGKILL a minute later, or when it is urgent.
        tick: Called twice a second while it runs.

    Returns:
        How it ended.
    """
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(
            leashed(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        while not _ended(process, _POLL_SECONDS) and not stop.is_set():
            tick()
    finally:
        running = process.poll() is None
        if running:
            process.terminate()
            left = _PATIENCE
            while left > 0 and not _ended(process, _POLL_SECONDS) and not stop.urgent.is_set():
                left -= _POLL_SECONDS
        # What is left of its session, be it the command or other ranks and decoders of one that died, holds memory and
        # devices that the next cell needs.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # A batch system signals all processes; the command may be the first to end.
    stopped = running or (process.returncode in STATUSES and stop.wait(_SAME_SIGNAL))
    return Ended(process.returncode, stopped)


def explain(status: int, log: Path) -> str:
    """Explain in a line why a command failed.

    Args:
        status: Status of the process, not 0.
        log: File whose end is its output.

    Returns:
        "out of memory", the signal, or the last line of the output; and the place of the log.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    commands = [number for number, line in enumerate(lines) if line.startswith(COMMAND_MARK)]
    lines = [line.strip() for line in lines[commands[-1] + 1 if commands else 0 :] if line.strip()]
    for line in reversed(lines[-_LOG_TAIL:]):
        if OUT_OF_MEMORY.search(line):
            return f"out of memory: {line.removeprefix('videogn: error: ')} (see {log})"
    if status < 0:
        number = -status
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        hint = " (the system kills so when memory runs out)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint} (see {log})"
    said = lines[-1] if lines else "no output"
    if not NO_ROOM.search(said) and (lack := lack_of_room(log)):  # the log may have had no room for the reason
        said = f"{said}; {lack}"
    return f"{said} (see {log})"


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait at most so long; whether it has ended."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None
