"""`--ckpt_path last` takes the newest whole checkpoint, and says which and why."""

from __future__ import annotations

import logging
import os
import re

import pytest
import torch

from videogn.training.newest_checkpoint import checkpoints_of_runs, find_checkpoint
from videogn.training.restoring import check_epochs


@pytest.fixture(autouse=True)
def _lines(caplog):
    caplog.set_level(logging.INFO)


def _write(root, *files):
    """Checkpoints, the oldest first."""
    for age, name in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {"w": torch.full((1000,), float(age))}
        torch.save({"epoch": age, "global_step": 10 * age, "state_dict": weights, "training": {}}, path)
        os.utime(path, (1e9 + age, 1e9 + age))


def _damage(path, kind):
    data, time = path.read_bytes(), path.stat().st_mtime
    middle = len(data) // 2
    changed = {"empty": b"", "cut": data[:middle], "flipped": data[:middle] + b"\xff\xff\xff\xff" + data[middle + 4 :]}
    path.write_bytes(changed[kind])
    os.utime(path, (time, time))


FILES = [
    "version_0/checkpoints/best.ckpt",
    "version_0/checkpoints/last.ckpt",
    "version_1/checkpoints/best.ckpt",
    "version_1/checkpoints/epoch=1.ckpt",
    "version_1/checkpoints/last.ckpt",
]


def test_the_order(tmp_path):
    _write(tmp_path, *FILES)
    (tmp_path / "version_1/checkpoints/.last.0123abcd.partial.ckpt").touch()
    order = [str(path.relative_to(tmp_path)) for path in checkpoints_of_runs(tmp_path)]
    assert order == [FILES[number] for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("command", ["fit", "test"])
def test_the_last_is_taken_and_named(tmp_path, caplog, command):
    _write(tmp_path, *FILES)
    last = tmp_path / FILES[-1]
    assert find_checkpoint("last", tmp_path, command) == last
    said = f"--ckpt_path last: {last} (epoch=4, step=40), last of the newest training run in {tmp_path}"
    assert caplog.messages == [said]


@pytest.mark.parametrize("command", ["fit", "test"])
@pytest.mark.parametrize(("place", "age"), [("version_2", 9), ("version_1", 9), (".", 9), ("version_1", 4), (".", -5)])
def test_a_later_run_without_a_checkpoint_is_named(tmp_path, caplog, command, place, age):
    """Stopped before its first one, in a folder of its own or in that of the run before, whose checkpoint stays."""
    _write(tmp_path, *FILES)
    config = tmp_path / place / "config.yaml"
    config.parent.mkdir(exist_ok=True)
    config.touch()
    os.utime(config, (1e9 + age, 1e9 + age))
    assert find_checkpoint("last", tmp_path, command) == tmp_path / FILES[-1]
    *warnings, line = caplog.messages
    later = [f"the training run in {config.parent} began later and has left no checkpoint"]
    assert warnings == (later if age > 4 else [])
    what = "the newest whole one" if age > 4 else "last of the newest training run"
    assert line == f"--ckpt_path last: {tmp_path / FILES[-1]} (epoch=4, step=40), {what} in {tmp_path}"


def _with_epochs(number):
    return {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": number}}}}}


@pytest.mark.parametrize(("done", "max_epochs"), [(4, 4), (4, 5), (4, None), (4, -1), (0, 0)])
def test_runs_that_go_on(done, max_epochs):
    check_epochs("last.ckpt", _with_epochs(done), max_epochs)


@pytest.mark.parametrize("max_epochs", [0, 2, 3])
def test_a_run_that_has_come_further_is_named(max_epochs):
    line = f"--trainer.max_epochs must be > 4 to go on from last.ckpt, which has 4 epochs, got {max_epochs}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        check_epochs("last.ckpt", _with_epochs(4), max_epochs)


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped"])
def test_a_damaged_last_gives_way_to_the_one_before_it(tmp_path, caplog, kind):
    _write(tmp_path, *FILES)
    _damage(tmp_path / FILES[-1], kind)
    assert find_checkpoint("last", tmp_path, "fit") == tmp_path / FILES[3]
    warning, line = caplog.messages
    assert warning.startswith(f"{tmp_path / FILES[-1]} is damaged: ")
    assert line == f"--ckpt_path last: {tmp_path / FILES[3]} (epoch=3, step=30), the newest whole one in {tmp_path}"
    with pytest.raises(
        ValueError, match=r"last\.ckpt is damaged: .*; --ckpt_path .*epoch=1\.ckpt tests the newest whole"
    ):
        find_checkpoint("last", tmp_path, "test")


def test_a_damaged_run_gives_way_to_the_run_before_it(tmp_path):
    _write(tmp_path, *FILES)
    for name in FILES[2:]:
        _damage(tmp_path / name, "cut")
    assert find_checkpoint("last", tmp_path, "fit") == tmp_path / FILES[1]


@pytest.mark.parametrize("name", ["best.ckpt", "epoch=0.ckpt"])
def test_where_no_last_is_left(tmp_path, name):
    _write(tmp_path, FILES[1], f"version_1/checkpoints/{name}")
    assert find_checkpoint("last", tmp_path, "fit") == tmp_path / "version_1/checkpoints" / name


@pytest.mark.parametrize("where", ["empty", "missing", "mistyped", "damaged"])
def test_a_fit_that_starts_anew_says_so(tmp_path, caplog, where):
    """As the first run of a job script does, whose command is always the same."""
    (tmp_path / "my_runs").mkdir()
    root = tmp_path / {"mistyped": "my_rnus", "missing": "other"}.get(where, "my_runs")
    if where == "damaged":
        _write(root, "version_0/checkpoints/last.ckpt")
        _damage(root / "version_0/checkpoints/last.ckpt", "cut")
    assert find_checkpoint("last", root, "fit") is None
    (line,) = caplog.messages
    reason = {
        "empty": f"no checkpoints in {root}",
        "missing": f"no such file or folder: {root}",
        "mistyped": f"no such file or folder: {root}; did you mean {tmp_path / 'my_runs'}?",
        "damaged": f"no whole checkpoint in {root} ({root}/version_0/checkpoints/last.ckpt is damaged: its end",
    }[where]
    assert line.startswith(f"--ckpt_path last: {reason}")
    assert line.endswith("; training starts anew")
    with pytest.raises(ValueError, match=r"nothing to test$"):
        find_checkpoint("last", root, "test")
