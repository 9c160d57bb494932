"""What is refused before Ray is imported or started."""

from __future__ import annotations

import signal
import socket
from types import SimpleNamespace

import pytest

from videogn.system.ray_connection import RayConnection, _start


def test_an_address_where_nobody_answers():
    with socket.socket() as held:  # bound, but it does not listen
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no Ray at {address}: .*refused"):
            RayConnection(address)


def test_wrong_numbers():
    with pytest.raises(ValueError, match="jobs must be >= 1, got 0"):
        RayConnection(None, jobs=0)


def test_a_ray_that_does_not_start():
    """As on a machine that is too busy to do so in time; Ray has no class of errors for it."""

    def init(**_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Exception("The current node timed out during startup.\nMore of it.")

    before = signal.getsignal(signal.SIGTERM)
    ray = SimpleNamespace(init=init, job_config=SimpleNamespace(JobConfig=object))
    with pytest.raises(
        ConnectionError, match=r"^no Ray at local: Exception: The current node timed out during startup\.$"
    ):
        _start(ray, {"address": "local"})
    assert signal.getsignal(signal.SIGTERM) is before
