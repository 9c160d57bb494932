"""One command of a cell, watched: its output in a log, its end explained."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from videogn.system.leash import leashed

_POLL_SECONDS = 0.5
#: A training that is asked to stop finishes its step and writes a checkpoint.
_PATIENCE = 60.0
#: What torch, the CUDA driver, Python and the C library say.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|MemoryError|DefaultCPUAllocator|cannot allocate memory|_ALLOC_FAILED|bad_alloc",
    re.IGNORECASE,
)
_LOG_TAIL = 200
#: A line of a log that begins with it is a command; what follows is its output.
COMMAND_MARK = "$ "


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: 0 when it did what it should; minus the signal when a signal ended it.
        stopped: it was asked to.
    """

    status: int
    stopped: bool


def run_command(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str],
    stop: threading.Event,
    tick: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command to its end, or ask it to end.

    It gets a session of its own, so that Ctrl-C reaches it through `stop` only, once, and not by the terminal as well.

    Args:
        command: program and arguments.
        log: its output is appended.
        environment: of the process.
        stop: once set, the command gets SIGTERM, and SIGKILL a minute later.
        tick: called twice a second while it runs.

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
        stopped = process.poll() is None
        if stopped:
            process.terminate()
            _ended(process, _PATIENCE)
        # What is left of its session, be it the command or other ranks and decoders of one that died, holds memory and
        # devices that the next cell needs.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(process.returncode, stopped)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait at most so long; whether it has ended."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def explain(status: int, log: Path) -> str:
    """Why a command failed, in a line.

    Args:
        status: of the process, not 0.
        log: its output, the last in the file.

    Returns:
        "out of memory", the signal, or the last line of the output; and where the log is.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    commands = [number for number, line in enumerate(lines) if line.startswith(COMMAND_MARK)]
    lines = [line.strip() for line in lines[commands[-1] + 1 if commands else 0 :] if line.strip()]
    for line in reversed(lines[-_LOG_TAIL:]):
        if _OUT_OF_MEMORY.search(line):
            return f"out of memory: {line.removeprefix('videogn: error: ')} (see {log})"
    if status < 0:
        number = -status
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        hint = " (the system kills so when memory runs out)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint} (see {log})"
    return f"{lines[-1] if lines else 'no output'} (see {log})"
