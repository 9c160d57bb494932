"""The working directory stays off the module path: a queue.py that lies in it must not stand in for Python's own.

Whoever can write to a folder, or packs an archive of videos, would otherwise decide what runs there. `python -m` and
`python -c` put the working directory first; the command `videogn` does not. Folders on PYTHONPATH stay.

Nor are settings taken from there: matplotlib looks for a matplotlibrc first in the working directory, and one of a
stranger's names code (`backend: module://...`), or is a pipe that is never written to.
"""

from __future__ import annotations

import contextlib
import os
import sys

#: Arguments of Python that run the command in a process of its own.
SAFELY = ("-P", "-m", "videogn")


def leave_out_working_directory() -> None:
    """Take what `python -m` has put first from the module path; a checkout that videogn itself comes from goes last."""
    if sys.flags.safe_path:
        return
    first = sys.path.pop(0)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if os.path.abspath(first) == package and package not in sys.path:
        sys.path.append(first)


def import_matplotlib_elsewhere() -> None:
    """Import matplotlib from another folder if there are settings of it in the working directory; else do nothing.

    To be called before there are threads, and before anything else imports it.
    """
    if os.path.lexists("matplotlibrc"):
        with contextlib.chdir(os.path.dirname(os.__file__)), contextlib.suppress(ModuleNotFoundError):
            import matplotlib  # noqa: F401  its settings are read once, now
