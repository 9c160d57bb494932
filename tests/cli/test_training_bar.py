"""What the progress of a fit says, in a terminal and in a file."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace

import pytest
from rich.console import Console
from training import evaluation_arguments, fit_arguments

from videogn.cli import training_bar
from videogn.cli.training_bar import OneLineBar, ProgressLines, RunClock, epoch_in_words, values_in_words
from videogn.training.failure_policy import FailurePolicy


class _Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(training_bar, "time", clock)
    return clock


def _trainer(*, epoch=0, epochs=10, steps=-1, done=0, batches=100, step=0, failed=0, rate=0.01):
    policy = FailurePolicy()
    policy._train = SimpleNamespace(reasons=dict.fromkeys(range(failed)))
    progress = SimpleNamespace(current=SimpleNamespace(ready=done))
    return SimpleNamespace(
        current_epoch=epoch,
        max_epochs=epochs,
        max_steps=steps,
        global_step=step,
        num_training_batches=batches,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress)),
        optimizers=[SimpleNamespace(param_groups=[{"lr": rate}, {"lr": rate / 10}])],
        callbacks=[policy],
    )


METRICS = {"v_num": 3, "train/loss_step": 1.23456, "train/loss_epoch": 9.0, "val/top1": 0.7123}


def test_the_values_in_few_letters():
    assert values_in_words(_trainer(), {}) == ["lr 0.01"]
    assert values_in_words(_trainer(rate=1.3e-5), METRICS) == ["loss 1.235", "lr 1.3e-5", "top1 71.2%"]
    assert values_in_words(_trainer(failed=3), METRICS)[-1] == "failed 3"
    assert epoch_in_words(_trainer(epoch=2)) == "epoch 3/10"
    assert epoch_in_words(_trainer(epoch=2, epochs=-1)) == "epoch 3"


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ({}, {"done": 50}, 190.0),  # 1 of 20 half epochs took 10 s
        ({"epoch": 5}, {"epoch": 6}, 40.0),  # resumed: what another process did took this one no time
        ({"epochs": -1, "steps": 1000}, {"epochs": -1, "steps": 1000, "step": 100}, 90.0),
        ({"steps": 100}, {"steps": 100, "step": 50, "done": 50}, 10.0),  # the steps end first
        ({}, {}, None),
        ({"epochs": -1}, {"epochs": -1, "step": 5}, None),
    ],
)
def test_the_time_left_of_the_run(clock, before, after, left):
    watch = RunClock(_trainer(**before))
    clock.now += 10
    assert watch.left(_trainer(**after)) == (None if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("epoch", "epochs", "done", "batches", "failed", "left"),
    [
        (0, 1, 1, 2, 0, "0:00:05"),
        (11, 100, 1234, 5678, 7, "23:59:59"),
        (119, 196, 12345, 29912, 7, "4d 3h"),
        (119, 196, 12345, 29912, 123, "4d 3h"),
    ],
)
def test_one_line_of_80_columns(epoch, epochs, done, batches, failed, left):
    """All that a long run of Kinetics has to say."""
    bar = OneLineBar()
    trainer = _trainer(epoch=epoch, epochs=epochs, done=done, batches=batches, failed=failed, rate=1.3e-5)
    bar._trainer = trainer
    seconds = {"0:00:05": 5.0, "23:59:59": 24 * 3600 - 1.0, "4d 3h": 99.5 * 3600}
    bar._shown.task, bar._shown.left = 0, seconds[left]
    bar._shown.values = " ".join(values_in_words(trainer, METRICS))
    console = Console(width=80, force_terminal=True, color_system=None)
    progress = training_bar_progress(bar, trainer, console, total=batches, done=done)
    with console.capture() as shown:
        console.print(progress)
    (line,) = [line for line in shown.get().splitlines() if line.strip()]
    assert len(line.rstrip()) <= 80
    assert line.startswith(f"Epoch {epoch + 1}/{epochs}")
    for words in (f"{done}/{batches}", f"{left} left", "loss 1.235", "lr 1.3e-5", "top1 71."):
        assert words in line
    if failed < 100:
        assert line.rstrip().endswith(f"top1 71.2% failed {failed}" if failed else "top1 71.2%")


def training_bar_progress(bar, trainer, console, *, total, done):
    from lightning.pytorch.callbacks.progress.rich_progress import CustomProgress

    progress = CustomProgress(*bar.configure_columns(trainer), console=console)
    progress.add_task(bar._get_train_description(trainer.current_epoch), total=total, completed=done)
    return progress


def test_lines_in_a_file(videogn, motion, tmp_path, monkeypatch, caplog, capsys):
    """No control characters; a line says where it is."""
    monkeypatch.setattr(training_bar, "_LINE_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "")
    arguments = [a for a in fit_arguments(motion, tmp_path, "--trainer.max_epochs=2") if "progress_bar" not in a]
    with caplog.at_level(logging.INFO):
        assert videogn(*arguments) == 0
    lines = [line for line in caplog.messages if line.startswith("epoch ")]
    first = r"epoch 1/2, batch 1/2, loss \d\.\d{3}, lr [\de.-]+, 0:00:\d\d left"
    assert re.fullmatch(first, lines[0])
    assert re.fullmatch(r"epoch 2/2, batch 2/2, loss \d\.\d{3}, lr [\de.-]+, top1 \d+\.\d%, 0:00:00 left", lines[-1])
    assert "validation: batch 2/2" in caplog.messages
    caplog.clear()
    best = tmp_path / "checkpoints" / "best.ckpt"
    arguments = [a for a in evaluation_arguments("test", motion, tmp_path, best) if "progress_bar" not in a]
    with caplog.at_level(logging.INFO):
        assert videogn(*arguments) == 0
    assert "testing: batch 16/16, 0:00:00 left" in caplog.messages
    written = "".join(capsys.readouterr())
    assert "\r" not in written
    assert "\x1b" not in written


def test_other_processes_are_silent(clock, caplog):
    lines = ProgressLines()
    lines._trainer = _trainer()
    lines.on_train_start(lines._trainer, None)
    lines.disable()
    clock.now += 1000
    with caplog.at_level(logging.INFO):
        lines.on_train_batch_end(lines._trainer, None, None, None, 0)
        lines.on_test_batch_end(SimpleNamespace(num_test_batches=[3]), None, None, None, 0)
    assert not caplog.messages
