"""benchmarks/same_losses.py: losses of forms of a network beside those of float64."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from same_losses import cases_for, compare_losses

CPU = torch.device("cpu")


def test_forms_train_alike_and_what_cannot_run_has_its_reason():
    right = next(case for case in cases_for(CPU) if case.setting.norm == "gn" and case.memory_format == "channels_last")
    wrong = replace(right, setting=replace(right.setting, precision="16-mixed"))
    alike, failed = compare_losses([right, wrong], CPU, 3)
    form = {
        "norm": "gn",
        "precision": "32",
        "memory_format": "channels_last",
        "compile": False,
        "group_norm": "pytorch",
    }
    assert alike.items() >= form.items()
    assert alike["error"] is None
    assert alike["last"] == pytest.approx(alike["last_exact"], abs=1e-4)
    assert 0 < alike["first_differ"] == alike["differ"] < 1e-4
    assert failed["error"].startswith("16-mixed takes a GPU")


def test_another_network_is_told_apart(monkeypatch):
    """With half of the rate its losses go elsewhere after the first step."""
    case = next(case for case in cases_for(CPU) if case.setting.norm == "gn")
    slow = replace(case, setting=replace(case.setting, optimizer_options={"lr": 0.001}))
    (row,) = compare_losses([slow], CPU, 3)
    assert row["differ"] > 1e-3


@pytest.mark.parametrize(("device", "forms"), [("cpu", 10), ("cuda", 15)])
def test_forms_of_a_device(device, forms):
    cases = cases_for(torch.device(device))
    assert len(cases) == forms == len(set(map(repr, cases)))
    assert not [case for case in cases if case.setting.norm == "bn" and case.group_norm == "triton"]
