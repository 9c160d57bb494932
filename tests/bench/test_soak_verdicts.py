"""The judgement of benchmarks/soak.py: what grows is seen, and what only varies is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import soak_measures

NOISE = np.random.default_rng(0).normal(0, 5, 40)


@pytest.mark.parametrize(
    ("readings", "flat"),
    [
        (1000 + NOISE, True),
        ([3] * 40, True),
        (1000 + NOISE + np.minimum(np.arange(40) * 50, 300), True),  # it fills up at the beginning
        (1000 + NOISE + 900 * (np.arange(40) == 35), True),  # one cycle was disturbed
        (1000 - 2 * np.arange(40), True),
        (1000 + NOISE + 3 * np.arange(40), False),
        (np.arange(40), False),  # a process more each time
        (np.arange(40) // 8, False),  # one every eighth time
        (range(9), None),
    ],
)
def test_verdicts(readings, flat):
    assert soak_measures.judge(readings, slack=30.0 if max(readings) > 500 else 0.5).flat is flat


def test_the_slope_is_that_of_the_growth():
    verdict = soak_measures.judge(1000 + NOISE + 3 * np.arange(40), slack=1)
    slope, low, high = verdict.slope
    assert low < slope < high
    assert slope == pytest.approx(3, abs=0.3)
    assert verdict.last - verdict.first == pytest.approx(3 * 64 / 3, abs=15)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="Linux only")
def test_processes_are_known_by_their_token_also_without_their_parent(monkeypatch):
    monkeypatch.setenv(soak_measures.TOKEN, f"test {os.getpid()}")
    shell = subprocess.run(["sh", "-c", "sleep 60 >/dev/null & echo $!"], check=True, stdout=subprocess.PIPE)
    orphan = int(shell.stdout)
    try:
        assert soak_measures.own_processes() == [orphan]
        reading = soak_measures.read_processes()
        assert (reading.processes, reading.threads) == (1, 1)
        assert 0.1 < reading.memory_mb < 50
    finally:
        os.kill(orphan, 9)
