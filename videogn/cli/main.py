"""Which command was meant. Only that command's module is imported, so that `--help` does not wait for torch."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from videogn import __version__
from videogn.checks import did_you_mean

#: Command -> (module with `run(argv)`, what it does).
COMMANDS = {
    "fit": ("videogn.cli.training", "Train a network on a data set."),
    "validate": ("videogn.cli.training", "One clip a video: top-1 and top-5 of a checkpoint."),
    "test": ("videogn.cli.training", "Ten clips a video: accuracies and per-video predictions of a checkpoint."),
    "predict": ("videogn.cli.predict", "Classify video files."),
    "study": ("videogn.cli.study", "Compare norms, clip lengths and batch sizes: train and test each, report."),
    "plan": ("videogn.cli.plan", "How much memory training needs, and the largest batch that fits, without a GPU."),
    "data": ("videogn.cli.data", "Index, check, resize, explain and make data sets."),
    "bench": ("videogn.cli.bench", "Measure data loading: where the time goes, and how many workers pay."),
    "demo": ("videogn.cli.demo", "See it all work in a few minutes on a CPU, with nothing downloaded."),
}
#: Warnings of other packages about themselves, which a user can do nothing about.
_NOISE = (
    ".*torch.jit.script.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*does not have many workers.*",
    "The dirpath has changed.*",
)
#: Environment variable: set it to see where an error comes from.
_TRACEBACK = "VIDEOGN_TRACEBACK"
#: Exit status of anything the user can put right.
USER_ERROR = 2


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        argv: the arguments, without the program's name; those of the process by default.

    Raises:
        SystemExit: always with a status: 0 done, 1 done in part, 2 wrong input.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())  # noqa: T201
        raise SystemExit(0)
    if arguments[0] == "--version":
        print(f"videogn {__version__}")  # noqa: T201
        raise SystemExit(0)
    name = arguments[0]
    if name not in COMMANDS:
        fail(f"no command {name!r}{did_you_mean(name, COMMANDS) or '; see videogn --help'}")
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    try:
        module = importlib.import_module(COMMANDS[name][0])
        status = module.run(name, arguments[1:])
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if os.environ.get(_TRACEBACK):
            raise
        fail(_one_line(error))
    except Exception as error:
        # Lightning's own way to say that an option is wrong; importing it to name the class would take seconds.
        if type(error).__name__ != "MisconfigurationException" or os.environ.get(_TRACEBACK):
            raise
        fail(_one_line(error))
    except KeyboardInterrupt:
        fail("interrupted", status=130)
    raise SystemExit(status)


def fail(reason: object, status: int = USER_ERROR) -> NoReturn:
    """End the process with one line on standard error.

    Args:
        reason: what is wrong and what would be right.
        status: of the process.

    Raises:
        SystemExit: always.
    """
    print(f"videogn: error: {' '.join(str(reason).split())}", file=sys.stderr)  # noqa: T201
    raise SystemExit(status)


def _one_line(error: Exception) -> str:
    """The reason without what a loader process puts around it."""
    text = str(error) or type(error).__name__
    return text.strip().splitlines()[-1].partition(": ")[2] if "Original Traceback" in text else text


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        "usage: videogn COMMAND ...",
        "",
        "Video classification with any normalisation over (T, H, W).",
        "",
        "commands:",
        *(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()),
        "",
        "`videogn COMMAND --help` lists a command's options; `videogn --version` prints the version.",
        f"{_TRACEBACK}=1 in the environment shows where an error comes from.",
    ]
    return "\n".join(lines)
