"""What predictors show their networks."""

from __future__ import annotations

import pytest

from videogn.inference.network_pass import NetworkPass


@pytest.fixture
def shown(monkeypatch) -> list:
    """The samples that go through a network from now on."""
    samples, rows = [], NetworkPass._rows
    monkeypatch.setattr(NetworkPass, "_rows", lambda self, some, *rest: samples.extend(some) or rows(self, some, *rest))
    return samples
