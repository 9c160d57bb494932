"""`videogn` commands in forked processes: a fresh one takes seconds to import torch and Lightning.

They are forked from a server that has imported them and done nothing else. In a process that has run a backward pass
on another device than the CPU, be it the meta device, PyTorch refuses to run one after a fork. As in the tests that run
commands in their own process, curves of trainings are left empty.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from torch.distributed import run as torchrun
from torch.distributed.launcher.api import elastic_launch
from undrawn import module_that_draws_nothing

from videogn.cli import main
from videogn.study import cell_process

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        *("videogn.cli.lightning_cli", "videogn.cli.training", "torch.distributed.run"),
        # What commands import on their way; pandas is PyArrow's, if it is there.
        *("videogn.memory", "videogn.training.video_test", "videogn.data.sources", "videogn.data.lists.reading"),
        *("videogn.cli.stopped_training", "videogn.cli.closing_lines", "pandas"),
    ]
)
#: Seconds; that a process waits for another in vain is what goes wrong.
_PATIENCE = 240.0


@dataclass(frozen=True)
class Ended:
    """Exit status of each process, minus the signal where one ended it, and what all of them printed."""

    statuses: list[int | None]
    output: str


def start_forked(
    arguments: Sequence[str], output: int, environment: Mapping[str, str] = MappingProxyType({})
) -> BaseProcess:
    """Start a `videogn` command that prints to a file descriptor; variables are set besides those that are there."""
    return _start(_be_videogn, output, arguments, dict(environment))


def run_forked(arguments: Sequence[str], log: Path) -> Ended:
    """Run a `videogn` command; its output is appended to `log`."""
    with log.open("ab") as output:
        return _finish([start_forked(arguments, output.fileno())], log)


def run_command(command: Sequence[str], log: Path, **_: object) -> cell_process.Ended:
    """Stands for `videogn.study.cell_process.run_command`."""
    (status,) = run_forked(command[command.index("videogn") + 1 :], log).statuses
    assert status is not None
    return cell_process.Ended(status, stopped=False)


def run_ranks(arguments: Sequence[str], log: Path) -> Ended:
    """Run a `videogn` command of two devices, in the environment that Lightning's launcher gives its processes."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NODE_RANK": "0", "WORLD_SIZE": "2"}
    with log.open("ab") as output:
        ranks = [start_forked(arguments, output.fileno(), {**shared, "LOCAL_RANK": str(rank)}) for rank in (0, 1)]
        return _finish(ranks, log)


def run_torchrun(nodes: Sequence[Sequence[str]], arguments: Sequence[str], log: Path) -> Ended:
    """Run a `videogn` command by a torchrun on each node, given by its options; the processes of all are forked."""
    with log.open("ab") as output:
        return _finish([_start(_be_torchrun, output.fileno(), arguments, options) for options in nodes], log)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _be_videogn(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    rank_zero_only.rank = int(os.environ.get("LOCAL_RANK", 0))  # as a fresh process does where it imports Lightning
    undrawn = module_that_draws_nothing()
    sys.modules[undrawn.__name__] = undrawn
    sys.argv = ["videogn", *map(str, arguments)]
    main()


def _be_torchrun(arguments: Sequence[str], options: Sequence[str]) -> None:
    parsed = torchrun.parse_args([*options, "--start-method=fork", "a program"])
    config, _, _ = torchrun.config_from_args(parsed)
    elastic_launch(config, _be_videogn)(arguments, {})


def _start(become: Callable[..., None], output: int, *arguments: object) -> BaseProcess:
    process = _SERVER.Process(target=_begin, args=(become, DupFd(output), os.getcwd(), dict(os.environ), arguments))
    process.start()
    return process


def _begin(
    become: Callable[..., None], output: Any, folder: str, environment: Mapping[str, str], arguments: Sequence[object]
) -> None:
    """Be as if started from the test, then run what the process is for."""
    descriptor = output.detach()
    for number in (1, 2):
        os.dup2(descriptor, number)
    multiprocessing.set_start_method(None, force=True)  # that of a fresh process, for workers of a loader
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    become(*arguments)


def _finish(processes: Sequence[BaseProcess], log: Path) -> Ended:
    try:
        for process in processes:
            process.join(_PATIENCE)
        return Ended([process.exitcode for process in processes], log.read_text(encoding="utf-8"))
    finally:
        for process in processes:
            process.terminate()  # torchrun then ends its own
            process.join(10)
            process.kill()
