"""fit, validate and test. Nothing slow is imported before the configurations are found."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from videogn.cli.main import COMMANDS
from videogn.system.configurations import find_config
from videogn.system.first_process import become_first
from videogn.system.leash import hold_on
from videogn.system.starting import imports_that_stay
from videogn.trust import trusted_by

_CONFIG = ("-c", "--config")


def run(command: str, argv: Sequence[str]) -> int:
    """Run fit, validate or test.

    Args:
        command: Name of the command.
        argv: Its arguments; they have to be those of the process, because distributed training starts it again.

    Returns:
        0, or 1 if a validation or test lost more videos than --data.max_failures; its results are written.
    """
    hold_on()
    become_first()
    arguments = list(_with_paths(argv))
    sections = [argument.partition("=")[2] for argument in arguments if argument.startswith("--help=")]
    sys.argv = [sys.argv[0], command, *("--help" if a.startswith("--help=") else a for a in arguments)]
    with imports_that_stay():
        from videogn.cli.allowed_names import only_names_of
        from videogn.cli.lightning_cli import VideoCLI, run_lightning

    cli = VideoCLI
    if "--find_lr" in arguments:
        from videogn.cli.rate_finding import RateFinding as cli
    with only_names_of(trusted_by(arguments)):
        return run_lightning(command, COMMANDS[command][1], sections[0] if sections else "", cli=cli)


def _with_paths(argv: Sequence[str]) -> Iterator[str]:
    """Replace the names of configurations by the paths of their files."""
    for previous, argument in zip(["", *argv], argv, strict=False):
        name, _, value = argument.partition("=")
        if previous in _CONFIG:
            yield str(find_config(argument))
        elif name in _CONFIG and value:
            yield f"{name}={find_config(value)}"
        else:
            yield argument
