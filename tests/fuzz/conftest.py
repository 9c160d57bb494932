"""Counts the cases of the tests here; tests/conftest.py prints them, also where several processes test."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from fuzzing import RUN


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Tell the report of a test how many cases it has run."""
    name = getattr(item, "originalname", item.name)
    before = RUN[name]
    try:
        yield
    finally:
        if Path(__file__).parent in item.path.parents:
            item.user_properties.append(("fuzz cases", RUN[name] - before))
