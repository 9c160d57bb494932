"""What is refused before Ray is imported or started."""

from __future__ import annotations

import socket

import pytest

from videogn.system.ray_connection import RayConnection


def test_an_address_where_nobody_answers():
    with socket.socket() as held:  # bound, but it does not listen
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no Ray at {address}: .*refused"):
            RayConnection(address)


def test_wrong_numbers():
    with pytest.raises(ValueError, match="jobs must be >= 1, got 0"):
        RayConnection(None, jobs=0)
