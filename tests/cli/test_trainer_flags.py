"""Every flag of Lightning's Trainer works or is refused in one line: the rows of docs/trainer-flags.md."""

from __future__ import annotations

import csv
import inspect
import json
import logging
import re
from pathlib import Path

import pytest
import torch
from forked import run_forked, run_ranks
from lightning.pytorch import Trainer
from training import evaluation_arguments, fit_arguments

from videogn.data.datamodule import VideoDataModule

DOCUMENT = Path(__file__).parents[2] / "docs" / "trainer-flags.md"
_ROW = re.compile(r"\| `(?P<flag>\w+)` \| (?P<values>.+?) \| (?P<here>.*?) ?\|")
ROWS = [
    (found["flag"], value, found["here"])
    for found in map(_ROW.fullmatch, DOCUMENT.read_text(encoding="utf-8").splitlines())
    if found
    for value in re.findall(r"`([^`]+)`", found["values"])
]
#: Of `fit_arguments`, with clips that bf16 on a CPU can take.
_LEFT_OUT = ("limit_train", "max_epochs", "logger", "num_sanity", "log_every", "clip_length", "summary", "progress")


def _arguments(root, out, flag, value):
    """A `fit` of one epoch, 4 batches of 8, unless the flag says otherwise."""
    first, *more = value.split()
    own = [f"--trainer.{flag}={first}", *more]
    given = {argument.partition("=")[0] for argument in own}
    usual = [a for a in fit_arguments(root, out) if not any(name in a for name in _LEFT_OUT)]
    usual += ["--trainer.max_epochs=1", "--data.batch_size=8", "--model.clip_length=8", "--data.cache=1GiB"]
    return [*(a for a in usual if a.partition("=")[0] not in given), *own]


def _fit(videogn, root, out, flag, value):
    return videogn(*_arguments(root, out, flag, value))


def _distributed(flag, value):
    """Whether processes are joined, which must not last longer than the test."""
    return "ddp" in f"{flag}={value}"


def test_the_table_has_every_flag():
    assert {flag for flag, _, _ in ROWS} == set(inspect.signature(Trainer).parameters)


@pytest.mark.parametrize(
    ("flag", "value", "here"), [row for row in ROWS if not _distributed(*row[:2])], ids=lambda text: str(text)[:20]
)
def test_a_value_works_or_is_refused_in_one_line(videogn, motion, tmp_path, monkeypatch, capsys, flag, value, here):
    monkeypatch.chdir(tmp_path)
    status = _fit(videogn, motion, tmp_path / "runs", flag, value)
    last = capsys.readouterr().err.splitlines()[-1:]
    if here.startswith("Refused: "):
        assert status == 2
        assert last[0].startswith("videogn: error: ")
        assert here.removeprefix("Refused: ").replace("`", "") in last[0].replace("`", "")
    else:
        assert status == 0


@pytest.mark.parametrize(("flag", "value"), [row[:2] for row in ROWS if _distributed(*row[:2])])
def test_a_value_that_joins_processes(motion, tmp_path, flag, value):
    run, steps = (run_ranks, 2) if "devices" in flag else (run_forked, 4)
    done = run(_arguments(motion, tmp_path, flag, value), tmp_path / "log.txt")
    assert set(done.statuses) == {0}, done.output  # with the progress bar, for which no process may wait
    assert f"trained {steps} steps on 32 clips" in done.output


def _losses(out):
    (file,) = out.glob("**/metrics.csv")
    with file.open() as lines:
        return [float(row["train/loss_step"]) for row in csv.DictReader(lines) if row.get("train/loss_step")]


def _seen(videogn, root, out, flag, value, *more):
    """(epoch, batch) -> paths of its videos, and the whole record of it; and the losses."""
    recorder = ["--trainer.callbacks+=run_recorder.RunRecorder", f"--trainer.callbacks.folder={out / 'seen'}"]
    arguments = [*_arguments(root, out, flag, value), *recorder, "--trainer.log_every_n_steps=1", *more]
    assert videogn(*arguments) == 0
    found = {}
    for line in (out / "seen" / "0.jsonl").read_text().splitlines():
        epoch, batch, samples, _ = json.loads(line)
        found[epoch, batch] = [sample[0] for sample in samples], samples
    return found, _losses(out)


@pytest.mark.parametrize(("value", "batches"), [("1", 1), ("3", 3), ("0.5", 2)])
def test_overfitting_repeats_its_batches(videogn, motion, tmp_path, value, batches):
    """The same videos in the same order, other clips of them; and as many batches of the validation."""
    seen, _ = _seen(videogn, motion, tmp_path, "overfit_batches", value, "--trainer.max_epochs=3")
    assert sorted(seen) == [(epoch, batch) for epoch in range(3) for batch in range(batches)]
    for batch in range(batches):
        assert seen[0, batch][0] == seen[1, batch][0] == seen[2, batch][0]
        assert seen[0, batch][1] != seen[1, batch][1]
    videos = [path for batch in range(batches) for path in seen[0, batch][0]]
    assert len(set(videos)) == 8 * batches
    assert len({Path(path).parent for path in seen[0, 0][0]}) > 1  # the seed's order, not one class after another
    (file,) = tmp_path.glob("**/metrics.csv")
    with file.open() as lines:
        evaluated = {float(row["val/evaluated"]) for row in csv.DictReader(lines) if row.get("val/evaluated")}
    assert evaluated == {min(8.0 * batches, 16) if value != "0.5" else 8.0}


def test_overfitting_brings_the_loss_down(videogn, motion, tmp_path):
    """Which is what it is for."""
    more = ["--trainer.max_epochs=30", "--model.base_batch=null", "--model.lr=0.05", "--trainer.limit_val_batches=0"]
    _, losses = _seen(videogn, motion, tmp_path, "overfit_batches", "1", *more)
    assert losses[-1] < 0.7 * losses[0]


def test_reloading_the_loaders_changes_nothing(videogn, motion, tmp_path):
    more = ["--trainer.max_epochs=2"]
    reloaded = _seen(videogn, motion, tmp_path / "a", "reload_dataloaders_every_n_epochs", "1", *more)
    assert reloaded == _seen(videogn, motion, tmp_path / "b", "reload_dataloaders_every_n_epochs", "0", *more)


@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_precisions_agree(videogn, motion, tmp_path, norm):
    """64 bits say what 32 say but for rounding, and 16 bits but for theirs; losses, weights, and a test of them."""
    losses, states = {}, {}
    for precision in ("64-true", "32", "bf16-true", "bf16-mixed"):
        out = tmp_path / precision
        losses[precision] = _seen(videogn, motion, out, "precision", precision, f"--model.norm={norm}")[1]
        (last,) = out.glob("**/last.ckpt")
        states[precision] = torch.load(last, weights_only=True)["state_dict"]
        assert videogn(*evaluation_arguments("test", motion, out, last, f"--model.results_dir={out}")) == 0
        again = evaluation_arguments("validate", motion, out / "again", last, f"--trainer.precision={precision}")
        assert videogn(*again) == 0
        assert json.loads((out / "results.json").read_text())["counts"]["evaluated"] == 16
    exact = torch.tensor(losses["64-true"])
    torch.testing.assert_close(torch.tensor(losses["32"]), exact, rtol=1e-4, atol=1e-5)
    for precision in ("bf16-true", "bf16-mixed"):
        torch.testing.assert_close(torch.tensor(losses[precision]), exact, rtol=0.03, atol=0)
    name = next(key for key in states["32"] if key.endswith("proj.weight"))
    assert {precision: state[name].dtype for precision, state in states.items()} == {
        "64-true": torch.float64,
        "32": torch.float32,
        "bf16-true": torch.bfloat16,
        "bf16-mixed": torch.float32,
    }


def test_nothing_is_kept_of_a_fast_dev_run(videogn, motion, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert _fit(videogn, motion, tmp_path / "runs", "fast_dev_run", "2") == 0
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert "nothing is kept of a fast_dev_run" in caplog.messages[-1]


@pytest.mark.parametrize(("flag", "value"), [("barebones", "true"), ("enable_checkpointing", "false")])
def test_no_checkpoint_is_written(videogn, motion, tmp_path, caplog, flag, value):
    with caplog.at_level(logging.INFO):
        assert _fit(videogn, motion, tmp_path / "runs", flag, value) == 0
    assert not list(tmp_path.rglob("*.ckpt"))
    assert len(list(tmp_path.rglob("cost.json"))) == 1
    assert str(tmp_path / "runs") in caplog.messages[-1]


def test_clipping_is_what_it_says(videogn, motion, tmp_path):
    """A norm of next to nothing stops the weights; one of plenty changes none."""
    states = {}
    for value in ("1e-12", "1e12", "0"):
        out = tmp_path / value
        arguments = _arguments(motion, out, "gradient_clip_val", value)
        assert videogn(*arguments, "--model.weight_decay=0", "--trainer.max_steps=2") == 0
        (last,) = out.glob("**/last.ckpt")
        states[value] = torch.load(last, weights_only=True)["state_dict"]
    names = [name for name, tensor in states["0"].items() if tensor.is_floating_point()]
    assert all(torch.equal(states["1e12"][name], states["0"][name]) for name in names)
    assert max((states["1e-12"][name] - states["0"][name]).abs().max() for name in names) > 1e-4


def test_an_operation_that_is_not_deterministic_is_named(videogn, motion, tmp_path, monkeypatch, capsys):
    """As max pools on a GPU."""

    def refuse(*_):
        raise RuntimeError("max_pool3d_with_indices_backward_cuda does not have a deterministic implementation, but")

    monkeypatch.setattr("videogn.training.task.VideoClassifier.training_step", refuse)
    assert _fit(videogn, motion, tmp_path, "deterministic", "true") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no deterministic max_pool3d_with_indices_backward_cuda on this device" in last
    assert "--trainer.deterministic warn" in last


@pytest.mark.parametrize(
    "more",
    [
        ["--trainer.enable_checkpointing=false"],
        ["--trainer.logger=false"],
        ["--trainer.inference_mode=false"],
        ["--trainer.precision=64-true"],
        ["--trainer.profiler=simple"],
        ["--trainer.deterministic=true", "--trainer.benchmark=true"],
        ["--trainer.limit_test_batches=3", "--trainer.limit_val_batches=1"],
        ["--trainer.fast_dev_run=true"],
    ],
    ids=lambda more: more[0][10:],
)
@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluations_take_them_too(videogn, motion, trained, tmp_path, command, more):
    last = trained / "checkpoints" / "last.ckpt"
    arguments = evaluation_arguments(command, motion, tmp_path, last, *more)
    if "logger" in more[0]:
        arguments = [a for a in arguments if "logger" not in a or a == more[0]]
    assert videogn(*arguments) == 0
    if command == "test" and "limit" in more[0]:
        counts = json.loads((tmp_path / "results.json").read_text())["counts"]
        assert (counts["expected"], counts["evaluated"]) == (16, 3)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_barebones_is_no_way_to_evaluate(videogn, motion, trained, tmp_path, capsys, command):
    arguments = evaluation_arguments(command, motion, tmp_path, trained / "checkpoints" / "last.ckpt")
    assert videogn(*[a for a in arguments if "logger" not in a], "--trainer.barebones=true") == 2
    assert "barebones measures the Trainer's own speed" in capsys.readouterr().err


def test_a_trainer_of_ones_own_overfits_too(motion):
    """Without the command line: the data module keeps its sampler."""
    size = {"clip_length": 4, "crop_size": 24, "short_side": 28, "train_short_sides": (26, 32)}
    data = VideoDataModule(str(motion), num_workers=0, batch_size=4, **size)
    data.trainer = Trainer(overfit_batches=2, logger=False, accelerator="cpu", enable_checkpointing=False)
    loader = data.train_dataloader()
    orders = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        orders.append([draw.position for draw in loader.sampler])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0])
