"""The working directory stays off the module path: a queue.py that lies in it must not stand in for Python's own.

Whoever can write to a folder, or packs an archive of videos, would otherwise decide what runs there. `python -m` and
`python -c` put the working directory first; the command `videogn` does not. Folders on PYTHONPATH stay.
"""

from __future__ import annotations

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
