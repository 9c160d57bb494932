"""Who is the first process of a run, and that it hears of a request to another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from videogn.system.first_process import become_first, is_further, tell_first
from videogn.system.stopping import Stopped, stoppable

TELL = "import sys; from videogn.system.first_process import tell_first; tell_first(int(sys.argv[1]))"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.delenv("VIDEOGN_FIRST_PROCESS", raising=False)


def test_a_process_on_its_own_tells_nobody():
    become_first()
    assert not is_further()
    with stoppable():
        tell_first(signal.SIGTERM)


@pytest.mark.parametrize(("rank", "told"), [("1", True), ("0", False)])
def test_a_further_process_tells_the_first(rank, told):
    """And one that is none does not, such as another command."""
    become_first()
    numbers = []
    try:
        with stoppable():
            command = [sys.executable, "-c", TELL, str(int(signal.SIGUSR1))]
            subprocess.run(command, env={**os.environ, "LOCAL_RANK": rank}, check=True, timeout=60)
    except Stopped as stop:
        numbers.append(stop.number)
    assert numbers == ([signal.SIGUSR1] if told else [])
