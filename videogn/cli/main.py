"""The commands, and how the one that was meant is run. Only its own module is imported: `--help` needs no torch."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress

from videogn import __version__
from videogn.checks import did_you_mean
from videogn.cli.exits import ANEW, NO_READER, USER_ERROR, fail
from videogn.system.memory_errors import out_of_memory
from videogn.system.room import WriteError, no_room, reason, write_error
from videogn.system.standard_streams import flush_output, guard_streams, open_closed_streams

#: Command -> (module, summary). A module holds a dataclass `Options` and `run(options)`, or a table ACTIONS of its own;
#: that of the training commands has `run(command, argv)`.
COMMANDS = {
    "fit": ("videogn.cli.training", "Train a network on a data set."),
    "validate": ("videogn.cli.training", "Test a checkpoint on one clip per video: top-1 and top-5."),
    "test": ("videogn.cli.training", "Test a checkpoint on ten clips per video; keep all predictions."),
    "verify": ("videogn.cli.verify", "Test a sample of a test's videos again: can its results be believed?"),
    "report": ("videogn.cli.report", "Write the page of a test: classes, confusions, calibration, videos."),
    "predict": ("videogn.cli.predict", "Classify video files."),
    "features": ("videogn.cli.features", "Compute features of video files, for retrieval and linear probes."),
    "probe": ("videogn.cli.probe", "Train a classifier on features that are computed once."),
    "app": ("videogn.cli.app", "Classify videos on a page in the browser."),
    "convert": ("videogn.cli.convert", "Give a trained BatchNorm network another norm, to fine-tune it."),
    "export": ("videogn.cli.export", "Write a network as a file for other programs: ONNX and others."),
    "compare": ("videogn.cli.compare", "Compare results of tests, or two studies, on the videos in common."),
    "study": ("videogn.cli.study", "Train, test and compare norms, clip lengths and batch sizes."),
    "plan": ("videogn.cli.plan", "Memory of a training step, and the largest batch; needs no GPU."),
    "models": ("videogn.cli.models", "List networks and published weights: size, input, norms, accuracy."),
    "data": ("videogn.cli.data", "Index, check, divide, resize, explain and make data sets."),
    "bench": ("videogn.cli.bench", "Measure loading, predicting, training steps, exported files."),
    "demo": ("videogn.cli.demo", "See it all work in minutes on a CPU, with nothing downloaded."),
}
#: Warnings of other packages about themselves, which a user can do nothing about.
_NOISE = (
    ".*torch.jit.script.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*does not have many workers.*",
    "This DataLoader will create .* worker processes",  # more than cores, as asked for; once for every loader
    "The dirpath has changed.*",
)
_ABOUT = "Video classification with any normalisation over (T, H, W)."
#: Environment variable: set it to see where an error comes from.
_TRACEBACK = "VIDEOGN_TRACEBACK"


def command() -> None:
    """Run the command that the process is for. Its status stands while Python ends: no signal takes its place.

    Raises:
        SystemExit: Always, as of `main`.
    """
    from videogn.system.stopping import stay_done

    try:
        main()
    finally:
        stay_done()


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        argv: Arguments without the program's name. Default: those of the process.

    Raises:
        SystemExit: Always, with a status: 0 done, 1 done in part, 2 wrong input; 141 nobody reads the output any more;
            130, 143 or 129 stopped by Ctrl-C, `kill` or a closed terminal, 128 + N by another signal N that asks to
            end.
    """
    from videogn.system.module_path import import_matplotlib_elsewhere
    from videogn.system.stopping import Stopped, stoppable

    open_closed_streams()
    guard_streams()
    # Ranks, loaders, decoders, Ray: no Python that this process starts looks for modules in the working directory.
    os.environ["PYTHONSAFEPATH"] = "1"
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        print(f"videogn {__version__}")
        raise SystemExit(0)
    import_matplotlib_elsewhere()
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    try:
        with stoppable():
            status = _run("videogn", arguments, COMMANDS, _ABOUT)
        flush_output()
    except BrokenPipeError:
        status = NO_READER
        with suppress(OSError):  # what is left in the buffer goes nowhere
            flush_output()
    except Exception as error:
        said = _explained(error, arguments)
        if said is None or os.environ.get(_TRACEBACK):
            raise
        # A training run that comes to nothing does so for no fault of its command.
        fail(said, status=1 if isinstance(error, FloatingPointError) else USER_ERROR)
    except Stopped as stop:
        from videogn.system.first_process import is_further, tell_first

        if is_further():
            tell_first(stop.number)
            raise SystemExit(0) from stop
        fail(f"interrupted: {stop.how or ANEW}", stop.status)
    except KeyboardInterrupt:
        fail(f"interrupted: {ANEW}", status=130)
    raise SystemExit(status)


def _run(prog: str, argv: Sequence[str], commands: Mapping[str, tuple[str, str]], about: str) -> int:
    """Run the command, or the action of a command, that the first argument names."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help(prog, commands, about))
        return 0
    name, rest = argv[0], argv[1:]
    if name not in commands:
        what = f"command {name!r}" if commands is COMMANDS else f"action {name!r} of `{prog}`"
        fail(f"no {what}{did_you_mean(name, commands) or f'; see {prog} --help'}")
    module = importlib.import_module(commands[name][0])
    if actions := getattr(module, "ACTIONS", None):
        return _run(f"{prog} {name}", rest, actions, module.__doc__ or _ABOUT)
    if options := getattr(module, "Options", None):
        from videogn.cli.parsing import read_options

        return int(module.run(read_options(options, f"{prog} {name}", rest)))
    return int(module.run(name, rest))


def _explained(error: Exception, arguments: Sequence[str]) -> str | None:
    """What is wrong, in a line, where that can be told: None for an error of ours, whose traceback says more."""
    if isinstance(error, ValueError | OSError | ModuleNotFoundError | FloatingPointError):
        return _one_line(error)
    if out_of_memory(error):
        fewer = " (--batch-clips 1)" if arguments[:1] in (["predict"], ["features"]) else ""
        return f"out of memory: {_one_line(error).splitlines()[0]}; fewer clips at once need less{fewer}"
    # Lightning's own way to say that an option is wrong; importing it to name the class would take seconds.
    return _one_line(error) if type(error).__name__ == "MisconfigurationException" else None


def _one_line(error: Exception) -> str:
    """The reason alone, without the traceback of a loader process."""
    if isinstance(error, OSError) and no_room(error) is error and not isinstance(error, WriteError):
        error = _of_full_disk(error)
    if isinstance(error, UnicodeEncodeError):  # bytes of a file's name, in the place of text
        near = error.object[max(error.start - 100, 0) : error.end + 20]
        return f"{near} is not text in UTF-8"
    if isinstance(error, FileNotFoundError) and error.errno and error.filename is None:  # as of os.getcwd
        return f"{error.strerror}: was the working directory removed? Change to another one"
    text = str(error) or type(error).__name__
    return text.strip().splitlines()[-1].partition(": ")[2] if "Original Traceback" in text else text


def _of_full_disk(error: OSError) -> OSError:
    """The error that says what could not be written, and what is free."""
    try:
        flush_output()
    except OSError as of_output:  # what has been printed has no room
        return of_output
    if error.filename is None:  # files of ours have names: this was printed, and is in no buffer any more
        return OSError(f"standard output or a file cannot be written ({reason(error)})")
    return write_error(error, error.filename)


def _help(prog: str, commands: Mapping[str, tuple[str, str]], about: str) -> str:
    width = max(map(len, commands))
    kind = "command" if commands is COMMANDS else "action"
    lines = [
        f"usage: {prog} {kind.upper()} ...",
        "",
        about,
        "",
        f"{kind}s:",
        *(f"  {name:<{width}}  {summary}" for name, (_, summary) in commands.items()),
        "",
        f"`{prog} {kind.upper()} --help` lists the options.",
    ]
    if commands is COMMANDS:
        lines[-1] = "`videogn COMMAND --help` lists the options, `videogn --version` the version."
        lines.append(f"{_TRACEBACK}=1 in the environment shows where an error comes from.")
    return "\n".join(lines)
