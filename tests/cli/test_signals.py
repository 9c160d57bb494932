"""Commands that are asked to end by a signal: their status, what they leave, and that they leave no process."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from forked import free_port
from training import evaluation_arguments, fit_arguments

from videogn.training.task import VideoClassifier

LAST = "checkpoints/last.ckpt"


@pytest.mark.parametrize(
    ("command", "number", "status"), [("test", signal.SIGTERM, 143), ("validate", signal.SIGINT, 130)]
)
def test_half_a_test_has_no_results(videogn, motion, trained, tmp_path, capsys, monkeypatch, command, number, status):
    """So `fit && test && publish` publishes nothing."""
    step = f"{'validation' if command == 'validate' else command}_step"
    monkeypatch.setattr(VideoClassifier, step, lambda *_: os.kill(os.getpid(), number))
    arguments = evaluation_arguments(command, motion, tmp_path, trained / LAST, f"--model.results_dir={tmp_path}")
    assert videogn(*arguments) == status
    assert capsys.readouterr().err.splitlines()[-1] == "videogn: error: interrupted: the same command begins anew"
    assert not list(tmp_path.rglob("results.json"))


def test_a_signal_in_a_step_ends_after_it_and_the_run_goes_on(videogn, motion, trained, tmp_path, monkeypatch, capsys):
    """Half an optimiser step is in no checkpoint: two halves of a run are the whole of it, to the bit."""
    step = torch.optim.SGD.step

    def interrupted(optimizer, *rest, **options):
        os.kill(os.getpid(), signal.SIGUSR1)
        return step(optimizer, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", interrupted)
        assert videogn(*fit_arguments(motion, tmp_path, "--data.time_limit=60")) == 138
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"videogn: error: interrupted: the same command with --ckpt_path {tmp_path / LAST} goes on"
    assert videogn(*fit_arguments(motion, tmp_path, "--data.time_limit=60", f"--ckpt_path={tmp_path / LAST}")) == 0
    whole, halves = (torch.load(folder / LAST, weights_only=True)["state_dict"] for folder in (trained, tmp_path))
    assert whole.keys() == halves.keys()
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


def test_before_the_first_step_nothing_is_kept(videogn, motion, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(VideoClassifier, "configure_optimizers", lambda _: os.kill(os.getpid(), signal.SIGHUP))
    assert videogn(*fit_arguments(motion, tmp_path)) == 129
    assert capsys.readouterr().err.splitlines()[-1] == "videogn: error: interrupted: the same command begins anew"
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(("word", "status"), [("--version", 0), ("nonsense", 2)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_while_python_ends(number, word, status):
    """What was done is done: `timeout`, or a batch system, that comes a moment too late changes no status."""
    program = (
        "import atexit, os, sys; from videogn.cli import command; "
        f"atexit.register(os.kill, os.getpid(), {int(number)}); sys.argv[1:] = [{word!r}]; command()"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == status


def _session(process):
    """Processes of the session that a process leads."""
    table = subprocess.run(["ps", "-eo", "pid=,sid=,stat="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, sid, stat in map(str.split, table.splitlines()) if int(sid) == process and stat[0] != "Z"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "number", "to_all", "status"),
    [
        (1, signal.SIGTERM, True, 143),  # scancel, or a spot machine that goes down
        (2, signal.SIGTERM, False, 143),  # a launcher's own signal
        (2, signal.SIGINT, True, 130),  # Ctrl-C in a terminal
    ],
)
def test_a_training_with_loaders_and_decoders(motion, tmp_path, processes, number, to_all, status):
    """In processes of their own, which are all gone afterwards; one checkpoint, of the last step that is logged."""
    more = ["--trainer.max_epochs=1000", "--data.num_workers=1", "--data.time_limit=60", "--data.batch_size=2"]
    more += ["--trainer.limit_val_batches=0"]
    more += [f"--trainer.devices={processes}", "--trainer.strategy=ddp"] if processes > 1 else []
    command = [sys.executable, "-m", "videogn", *fit_arguments(motion, tmp_path, *more)]
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "MASTER_PORT": str(free_port())},
        )
    try:
        deadline = time.monotonic() + 300
        while not (rows := tmp_path / "metrics.csv").is_file() or len(rows.read_text().splitlines()) < 4:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert len(_session(process.pid)) >= 3 * processes
        asked = time.time()
        (os.killpg if to_all else os.kill)(process.pid, number)
        assert process.wait(120) == status, log.read_text()
        deadline = time.monotonic() + 30
        while _session(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        for pid in _session(process.pid):
            os.kill(pid, signal.SIGKILL)
    lines = log.read_text().splitlines()
    assert lines[-1] == f"videogn: error: interrupted: the same command with --ckpt_path {tmp_path / LAST} goes on"
    assert "Traceback" not in log.read_text()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("last*.ckpt")] == [LAST]
    assert (tmp_path / LAST).stat().st_mtime - asked < 30
    with (tmp_path / "metrics.csv").open() as text:
        steps = [int(row["step"]) for row in csv.DictReader(text) if row["train/loss_step"]]
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == steps[-1] + 1
    assert not (tmp_path / "cost.json").exists()
