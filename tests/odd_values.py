"""Odd values of options, and how a command that gets one has to end."""

from __future__ import annotations

import os
import signal
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from videogn.system.displayable import one_line

#: A name that is long, reads as an option, has quotes, an escape of terminals, a newline and letters of other scripts.
ODD = "--x 'y\" \x1b[31m\n=;|Ünï 视频" + "z" * 300
#: Stand for a folder and for a device in `odd_places`.
FOLDER, NULL = "<folder>", "<null>"
TEXTS = ("", " ", ODD, "no\udcff", "no such file", FOLDER, NULL, "null", "true", "[]", "{}", "a=b", "-1", "nan", "~")
NUMBERS = ("", "nan", "inf", "-inf", "-1", "0", "1e400", "9" * 30, "9" * 5000, "1.5", "1e-300", "null", "[]", "{}", "x")
OTHERS = ("", " ", "x", "null", "true", "[]", "{}", "{a: 1}", "[1]", "-1", "0", "1e400", "9" * 30, ODD, "no\udcff")
#: What a command calls when its real work begins: an encoder, a server, an exporter, a figure, steps. And processes.
_WORK = (
    *("videogn.video.encode.write_video", "socket.socket.listen", "torch.onnx.export", "torch.export.export"),
    *("matplotlib.figure.Figure.savefig", "videogn.bench.step_rows.measure_steps"),
)
#: Seconds of the clock after which a command is said to hang.
_PATIENCE = 60


class WorkBegan(BaseException):
    """All checks have passed."""


def begin(*_: object, **__: object) -> None:
    """Stand in for the work."""
    raise WorkBegan


def some(values: Sequence[str], number: int, *, of: str) -> list[str]:
    """A few of the values, others for every option, the same in every run."""
    start = zlib.crc32(of.encode())
    return [values[(start + step * 7) % len(values)] for step in range(number)]


def odd_places(home: Path) -> dict[str, str]:
    """Make a folder and a device that root cannot lose."""
    (home / "folder").mkdir()
    null = home / "null"
    try:
        os.mknod(null, 0o020666, os.stat(os.devnull).st_rdev)
        null.open("wb").close()
    except PermissionError:  # not root, who alone could replace the real one
        null = Path(os.devnull)
    return {FOLDER: str(home / "folder"), NULL: str(null)}


def end_where_work_begins(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run commands in a folder of their own, without processes."""
    patch.chdir(folder)
    for owner, name in ((subprocess, "Popen"), (BaseProcess, "start"), (os, "fork")):
        patch.setattr(owner, name, begin)
    for place in _WORK:
        patch.setattr(place, begin)


def refusal(run: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Run a command: (status or "began", the reason it gives); any other exception passes."""
    capsys.readouterr()
    try:
        with _patience():
            run()
    except WorkBegan:
        return "began", ""
    except SystemExit as done:
        printed = capsys.readouterr().err
        assert "Traceback" not in printed
        if done.code != 2:
            return done.code or 0, ""
        last = printed.splitlines()[-1]
        assert last.startswith("videogn: error: "), printed
        assert printed.count("videogn: error: ") == 1, printed
        return 2, last.removeprefix("videogn: error: ")
    raise AssertionError("a command ends with its status")


@contextmanager
def _patience() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"no end after {_PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check_end(status: object, reason: str, name: str, value: str) -> None:
    """Check that a command ended as it may, and that a refusal names the option or its value."""
    assert status in ("began", 0, 1, 2)
    if status == 2:
        last = name.rsplit(".", 1)[-1].lstrip("-")
        names = {last, last.replace("_", "-"), last.replace("_", " "), last.rstrip("s")}
        given = value.strip()
        shown = {one_line(given)[:12], repr(given)[1:12], os.path.expanduser(given), given.strip("[]{}")}
        shown |= {repr(given.lstrip("-"))[1:8], given.partition("=")[0]}
        shown |= {repr(key) for key in given[1:].split(":")[:-1]}
        shown |= {f"no option {key}" for key in given[1:].split(":")[:-1]} | {
            "a configuration names ",
            f"no option '{last}.",
        }
        assert any(each and each in reason for each in names | shown), reason
        assert not any(word in reason for word in ("Parser key", "<class '", "Errno 2]")), reason
