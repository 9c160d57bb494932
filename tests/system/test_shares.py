"""What each task gets of the machines."""

from __future__ import annotations

import pytest

from videogn.system.shares import Shares, share


@pytest.mark.parametrize(
    ("nodes", "wanted", "expected"),
    [
        # One machine: as the local engine divides it.
        ([(8, 0)], {}, Shares(1, 8, 0)),
        ([(8, 0)], {"jobs": 3}, Shares(3, 2, 0)),
        ([(8, 0)], {"threads": 3}, Shares(2, 3, 0)),
        ([(2, 0)], {"jobs": 4}, Shares(4, 1, 0)),
        ([(16, 4)], {}, Shares(4, 4, 1)),
        ([(16, 4)], {"devices": 2}, Shares(2, 8, 2)),
        ([(16, 4)], {"jobs": 9}, Shares(4, 4, 1)),
        # A task does not span machines: two of three GPUs, twice, are two tasks and not three.
        ([(8, 3), (8, 3)], {"devices": 2}, Shares(2, 8, 2)),
        ([(8, 0), (4, 0)], {}, Shares(2, 4, 0)),
        ([(8, 0), (8, 0)], {"jobs": 3}, Shares(3, 4, 0)),
        ([(8, 0), (8, 0)], {"threads": 2, "jobs": 3}, Shares(3, 2, 0)),
        ([(8, 0), (8, 0)], {"jobs": 99}, Shares(16, 1, 0)),
        # The head of a cluster often takes no tasks.
        ([(0, 0), (8, 2)], {}, Shares(2, 4, 1)),
    ],
)
def test_what_each_task_gets(nodes, wanted, expected):
    assert share(nodes, **{"jobs": None, "devices": 1, "threads": None, **wanted}) == expected


@pytest.mark.parametrize(
    ("nodes", "wanted", "reason"),
    [
        ([(8, 0)], {"jobs": 0}, "jobs must be >= 1, got 0"),
        ([(8, 0), (8, 0)], {"threads": 9}, "threads must be <= 8"),
        ([(8, 2), (8, 2)], {"devices": 4}, "devices must be <= 2, the GPUs of a machine, got 4"),
        ([(0, 0)], {}, "no machine"),
    ],
)
def test_what_no_machine_has(nodes, wanted, reason):
    with pytest.raises(ValueError, match=reason):
        share(nodes, **{"jobs": None, "devices": 1, "threads": None, **wanted})
