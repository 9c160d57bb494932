"""Modules that stay are imported without looking for garbage, once in a process."""

from __future__ import annotations

import gc

import pytest

from videogn.system.starting import imports_that_stay


@pytest.fixture
def unfrozen():
    """As in a new process; the other tests go on as conftest.py has it."""
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()
    if frozen:
        gc.freeze()


def test_nothing_is_looked_through_meanwhile_nor_later(unfrozen):
    with imports_that_stay():
        assert not gc.isenabled()
        kept = [[number] for number in range(5000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(kept)


def test_once_in_a_process(unfrozen):
    with imports_that_stay():
        pass
    frozen = gc.get_freeze_count()
    with imports_that_stay():
        assert gc.isenabled()
        kept = [[number] for number in range(5000)]
    assert gc.get_freeze_count() <= frozen < frozen + len(kept)


def test_a_failed_import_leaves_everything_as_it_was(unfrozen):
    with pytest.raises(ModuleNotFoundError), imports_that_stay():
        raise ModuleNotFoundError("no such module")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_who_does_not_collect_goes_on_so(unfrozen):
    gc.disable()
    with imports_that_stay():
        pass
    assert not gc.isenabled()
    assert gc.get_freeze_count() == 0
