"""Standard streams that are closed."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import os, sys
from videogn.system.standard_streams import open_closed_streams
open_closed_streams()
print("said")
print("said", file=sys.stderr)
assert os.open(os.devnull, os.O_RDONLY) > 2
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_nothing_else_becomes_a_standard_stream(closed):
    command = ["bash", "-c", f'"$0" -c "$1" {closed}', sys.executable, _PROGRAM]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr.replace("said\n", "")) == (0, "")
