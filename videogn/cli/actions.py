"""Commands that consist of actions, as `videogn data index`. Only the module of the action meant is imported."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from videogn.checks import did_you_mean
from videogn.cli.main import fail


def run_action(command: str, argv: Sequence[str], actions: Mapping[str, tuple[str, str]], description: str) -> int:
    """Run `videogn COMMAND ACTION ...`.

    Args:
        command: the command's name.
        argv: the action and its arguments.
        actions: action -> (module with `parser()` and `run(options)`, what it does).
        description: of the command, for its help.

    Returns:
        The action's status.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_help(command, actions, description))  # noqa: T201
        return 0
    name = argv[0]
    if name not in actions:
        hint = did_you_mean(name, actions) or f"; see videogn {command} --help"
        fail(f"no action {name!r} of `videogn {command}`{hint}")
    module = importlib.import_module(actions[name][0])
    parser = module.parser()
    parser.prog = f"videogn {command} {name}"
    return int(module.run(parser.parse_args(list(argv[1:]))))


def _help(command: str, actions: Mapping[str, tuple[str, str]], description: str) -> str:
    width = max(map(len, actions))
    lines = [
        f"usage: videogn {command} ACTION ...",
        "",
        description,
        "",
        "actions:",
        *(f"  {name:<{width}}  {summary}" for name, (_, summary) in actions.items()),
        "",
        f"`videogn {command} ACTION --help` lists an action's options.",
    ]
    return "\n".join(lines)
