"""GPUs of this machine."""

from __future__ import annotations

import pytest

from videogn.system.gpus import visible_gpus


@pytest.mark.parametrize(
    ("named", "available", "count", "found"),
    [
        (None, False, 0, []),
        (None, True, 2, ["0", "1"]),
        ("2,5", True, 2, ["2", "5"]),
        ("", False, 0, []),
        ("0,1", False, 0, []),  # named on a machine without any
        ("GPU-abc", True, 1, ["GPU-abc"]),
    ],
)
def test_visible_gpus(monkeypatch, named, available, count, found):
    monkeypatch.setattr("torch.cuda.is_available", lambda: available)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == found
