"""fit, validate and test from the command line to their files."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from forked import run_ranks
from lightning.pytorch.callbacks import timer
from training import evaluation_arguments, fit_arguments

from videogn.data.sources import read_index
from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video


def test_fit_leaves_checkpoint_configuration_and_curve(trained):
    assert (trained / "checkpoints" / "last.ckpt").is_file()
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["model"]["norm"] == "gn"
    with (trained / "metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {"val/top1", "val/top5", "val/loss", "train/loss_step", "train/failed"} <= set(rows[0])


def test_a_checkpoint_carries_all_that_prediction_needs(trained):
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    hparams = checkpoint["hyper_parameters"]
    wanted = {"arch": "i3d_tiny", "norm": "gn", "clip_length": 4, "interval": 2, "crop_size": 32, "short_side": 32}
    assert {name: hparams[name] for name in wanted} == wanted
    assert list(hparams["mean"]) == [0.45] * 3
    assert len(hparams["class_names"]) == 8
    assert "init_from" not in hparams  # it need not exist where the checkpoint is used


def test_test_writes_results_of_every_video(videogn, motion, trained, tmp_path):
    assert videogn(*evaluation_arguments("test", motion, tmp_path, trained / "checkpoints" / "last.ckpt")) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["counts"]["expected"] == results["counts"]["evaluated"] == 16
    assert results["over_all"] == results["over_decodable"]
    assert results["protocol"] == {
        "clips": 3,
        "starts": "nonlocal",
        "crops": "full",
        "short_side": 32,
        "clip_length": 4,
        "interval": 2,
    }
    assert results["index_sha256"] == read_index(motion / "val.csv").fingerprint()
    assert results["seed"] == 0
    assert results["versions"]["torch"] == torch.__version__.split("+")[0] or results["versions"]["torch"]
    with (tmp_path / "predictions.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 16
    assert {row["clip_starts"] for row in rows} == {"0 10 21"}  # floor(32 j / 3)
    hits = sum(row["label"] == row["top1"] for row in rows)
    assert results["over_all"]["top1"] == pytest.approx(hits / 16)
    # The training's configuration is not written over by a test in the same folder.
    assert not (tmp_path / "config.yaml").exists()


def test_broken_videos_are_named_and_count_as_wrong(videogn, motion, trained, tmp_path):
    videos = tmp_path / "videos"
    good = sorted((motion / "val" / "expand").glob("*.mp4"))
    (videos / "expand").mkdir(parents=True)
    (videos / "expand" / "good.mp4").write_bytes(good[0].read_bytes())
    (videos / "expand" / "empty.mp4").touch()
    (videos / "expand" / "text.mp4").write_text("no video")
    checkpoint = trained / "checkpoints" / "last.ckpt"
    arguments = evaluation_arguments("test", motion, tmp_path, checkpoint, f"--data.test={videos}")
    assert videogn(*arguments) == 1  # more than --data.max_failures, with results all the same
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["counts"] == {
        "expected": 3,
        "evaluated": 1,
        "failed": 2,
        "without_scores": 0,
        "not_tested": 0,
        "unlabelled": 0,
        "shorter_than_a_clip": 0,
    }
    assert results["over_all"]["videos"] == 3
    assert results["over_decodable"]["videos"] == 1
    reasons = {os.path.basename(failed["path"]): failed["reason"] for failed in results["failed"]}
    assert reasons["empty.mp4"] == "file is empty"
    assert set(reasons) == {"empty.mp4", "text.mp4"}


def test_the_checkpoint_fixes_the_order_of_classes(videogn, motion, trained, tmp_path):
    """A test folder with two of the eight classes: its own sorted order would number them 0 and 1."""
    checkpoint = trained / "checkpoints" / "last.ckpt"
    videos = tmp_path / "videos"
    for name in ("expand", "rotate clockwise"):
        (videos / name).mkdir(parents=True)
        source = next((motion / "val" / name).glob("*.mp4"))
        (videos / name / "a.mp4").write_bytes(source.read_bytes())
    arguments = [a for a in evaluation_arguments("test", motion, tmp_path, checkpoint) if "data.root" not in a]
    assert videogn(*arguments, f"--data.test={videos}") == 0
    results = json.loads((tmp_path / "results.json").read_text())
    names = [row["class"] for row in results["per_class"]]
    assert names == sorted(names)
    assert len(names) == 8
    assert {row["class"] for row in results["per_class"] if row["videos"]} == {"expand", "rotate clockwise"}


def test_contradicting_the_checkpoint_is_an_error(videogn, motion, trained, tmp_path, capsys):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert videogn(*evaluation_arguments("test", motion, tmp_path, checkpoint, "--model.crop_size=48")) == 2
    assert "model.crop_size is 48" in capsys.readouterr().err
    config = tmp_path / "bn.yaml"
    config.write_text("model:\n  norm: bn\n")
    assert videogn(*evaluation_arguments("test", motion, tmp_path, checkpoint, f"--config={config}")) == 2
    assert "model.norm is bn" in capsys.readouterr().err
    # Saying what the checkpoint says is no contradiction.
    assert videogn(*evaluation_arguments("validate", motion, tmp_path, checkpoint, "--model.clip_length=4")) == 0


def test_the_memory_mode_is_no_part_of_what_was_trained(videogn, motion, trained, tmp_path):
    """It goes on from a checkpoint in any; the mode asked for is the one that trains."""
    mode = "--model.arch_options={width: 8, memory_mode: block}"
    again = fit_arguments(motion, tmp_path, mode, f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}")
    again[again.index("--trainer.max_epochs=1")] = "--trainer.max_epochs=2"
    assert videogn(*(argument for argument in again if argument != "--model.arch_options={width: 8}")) == 0
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["model"]["arch_options"] == {"width": 8, "memory_mode": "block"}


def test_another_order_of_classes_is_an_error(videogn, motion, trained, tmp_path, capsys):
    names = sorted(path.name for path in (motion / "train").iterdir())
    checkpoint = trained / "checkpoints" / "last.ckpt"
    more = [f"--data.class_names={names[::-1]}"]
    assert videogn(*evaluation_arguments("test", motion, tmp_path, checkpoint, *more)) == 2
    assert "data.class_names is" in capsys.readouterr().err


def test_model_options_in_one_piece_cannot_contradict_the_checkpoint(videogn, motion, trained, tmp_path, capsys):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    arguments = evaluation_arguments("test", motion, tmp_path, checkpoint, '--model={"norm": "bn"}')
    assert videogn(*arguments) == 2
    assert "model.norm is bn" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["test", "validate"])
def test_there_has_to_be_something_to_test(videogn, motion, tmp_path, capsys, command):
    arguments = evaluation_arguments(command, motion, tmp_path, tmp_path)[:-1]
    assert videogn(*arguments) == 2
    assert f"nothing to {command}: name a checkpoint with --ckpt_path" in capsys.readouterr().err


def test_last_is_the_newest_checkpoint_of_the_folder(videogn, motion, tmp_path):
    """`fit --ckpt_path last` can be repeated: it begins, then goes on, then has nothing left to do."""
    arguments = [a for a in fit_arguments(motion, tmp_path, "--ckpt_path=last") if "logger" not in a]
    for epochs, steps in ((1, 2), (2, 4)):
        assert videogn(*arguments, f"--trainer.max_epochs={epochs}") == 0
        newest = max(tmp_path.glob("*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
        assert torch.load(newest, weights_only=True)["global_step"] == steps
    assert {path.name for path in tmp_path.iterdir()} == {"version_0", "version_1"}


def test_resuming_with_other_steps_is_an_error(videogn, motion, trained, tmp_path, capsys):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    more = [f"--ckpt_path={checkpoint}", "--trainer.max_epochs=2", "--data.batch_size=2"]
    assert videogn(*fit_arguments(motion, tmp_path, *more)) == 2
    assert "trained with 8 clips an optimiser step, not 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--trainer.accelerator=tpu", "torch_xla"), ("--trainer.max_epochs=-1", "set --trainer.max_epochs")],
)
def test_what_lightning_refuses_is_one_line_too(videogn, motion, tmp_path, capsys, option, expected):
    assert videogn(*fit_arguments(motion, tmp_path, option)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("videogn: error: ")
    assert expected in last


def test_bad_videos_only(videogn, tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "bad" / name / f"{number}.mp4").write_text("no video")
    for workers in (0, 1):
        more = ["--data.batch_size=2", f"--data.num_workers={workers}"]
        assert videogn(*fit_arguments(tmp_path / "bad", tmp_path / "out", *more)) == 2
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("videogn: error: ")
        assert "videos in a row cannot be decoded" in last


def test_not_a_checkpoint(videogn, motion, tmp_path, capsys):
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    assert videogn(*evaluation_arguments("test", motion, tmp_path, tmp_path / "text.ckpt")) == 2
    assert "text.ckpt is not a checkpoint" in capsys.readouterr().err


def test_fine_tuning_on_other_classes(videogn, motion, trained, tmp_path):
    """A folder of class folders without splits, two classes, initial weights from the checkpoint, its head new."""
    videos = tmp_path / "my videos"
    rng = torch.Generator().manual_seed(0)
    for name in ("jumping", "running fast"):
        for number in range(4):
            frames = torch.randint(0, 255, (12, 48, 64, 3), generator=rng, dtype=torch.uint8).numpy()
            write_video(videos / name / f"video {number}.mp4", frames)
    checkpoint = trained / "checkpoints" / "last.ckpt"
    out = tmp_path / "tuned"
    more = [f"--model.init_from={checkpoint}", "--model.lr=0", "--data.batch_size=2", "--data.val_fraction=0.25"]
    assert videogn(*fit_arguments(videos, out, *more)) == 0
    before = torch.load(checkpoint, weights_only=True)["state_dict"]
    tuned = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    after = tuned["state_dict"]
    assert tuned["hyper_parameters"]["class_names"] == ["jumping", "running fast"]
    trunk = [name for name in before if name.startswith("net.") and ".proj." not in name]
    assert trunk
    assert all(torch.equal(before[name], after[name]) for name in trunk)  # lr 0: what was loaded is what is saved
    assert after["net.blocks.6.proj.weight"].shape[0] == 2


def test_resuming_goes_on_where_it_stopped(videogn, motion, trained, tmp_path):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    arguments = fit_arguments(motion, tmp_path, f"--ckpt_path={checkpoint}", "--trainer.max_epochs=2")
    assert videogn(*arguments) == 0
    resumed = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert resumed["global_step"] == 4  # two steps of the first run, two of its own
    assert resumed["epoch"] == 1


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (["--trainer.max_epochs=-1", "--trainer.max_steps=3"], 3),  # in the middle of an epoch
        (["--trainer.max_epochs=-1", "--trainer.max_steps=4"], 4),
        (["--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2"], 6),  # the last epoch is not validated
        (["--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=2"], 2),  # none is
        (["--trainer.max_epochs=3", "--trainer.limit_val_batches=0"], 6),
        (["--trainer.max_epochs=-1", "--trainer.max_steps=3", "--checkpoint.minutes=0.000001"], 3),
        (["--trainer.max_epochs=2", "--trainer.accumulate_grad_batches=2"], 2),
    ],
)
def test_the_last_checkpoint_is_the_end(videogn, motion, tmp_path, monkeypatch, options, steps):
    weights = []
    at_the_end = VideoClassifier.on_train_end
    monkeypatch.setattr(
        VideoClassifier,
        "on_train_end",
        lambda task: (at_the_end(task), weights.append({n: v.clone() for n, v in task.state_dict().items()})),
    )
    arguments = [a for a in fit_arguments(motion, tmp_path, "--model.norm=bn") if "max_epochs" not in a]
    assert videogn(*arguments, *options) == 0
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == steps
    assert all(torch.equal(value, last["state_dict"][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("accumulated", [1, 2])
def test_an_end_in_the_middle_of_an_epoch_can_be_gone_on_from(videogn, motion, tmp_path, accumulated):
    """As if the training had been meant to be longer from the start; 4 batches an epoch."""

    def fit(name, steps, *more):
        options = ["--trainer.max_epochs=-1", f"--trainer.max_steps={steps}", "--model.milestones=[]"]
        options += ["--model.arch_options={width: 8, dropout: 0.5}", f"--trainer.accumulate_grad_batches={accumulated}"]
        return _weights(videogn, _whole_epochs(motion, tmp_path / name, *options, *more), tmp_path / name)

    whole = fit("whole", 6)
    fit("part", 3)
    both = fit("rest", 6, f"--ckpt_path={tmp_path / 'part' / 'checkpoints' / 'last.ckpt'}")
    assert all(torch.equal(value, both[name]) for name, value in whole.items())


def _whole_epochs(motion, out, *options):
    """Arguments of a fit of 4 batches an epoch."""
    arguments = [a for a in fit_arguments(motion, out, *options) if "limit_train" not in a]
    return [*arguments, "--data.batch_size=8"]


def _weights(videogn, arguments, out):
    assert videogn(*arguments) == 0
    return torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(["--trainer.max_epochs=3"], id="epochs"),
        pytest.param(["--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2"], id="every second"),
        pytest.param(["--trainer.max_epochs=-1", "--trainer.max_steps=7"], id="steps"),
        pytest.param(
            ["--trainer.max_epochs=-1", "--trainer.max_steps=3", "--trainer.accumulate_grad_batches=2"],
            id="accumulated steps",
        ),
    ],
)
def test_a_kill_after_the_end_of_an_epoch(videogn, motion, tmp_path, monkeypatch, limit):
    """The checkpoint of an epoch's end is all that is left, most often: the same weights, and the same steps logged."""
    train = VideoClassifier.training_step
    saved, kept = tmp_path / "whole" / "checkpoints" / "last.ckpt", tmp_path / "kept.ckpt"

    def training_step(task, batch, index):
        if saved.exists() and not kept.exists():
            shutil.copy(saved, kept)
        return train(task, batch, index)

    monkeypatch.setattr(VideoClassifier, "training_step", training_step)

    def fit(name, *more):
        out = tmp_path / name
        weights = _weights(videogn, _whole_epochs(motion, out, *limit, *more), out)
        with (out / "metrics.csv").open() as lines:
            rows = [row for row in csv.DictReader(lines) if row["train/loss_step"] or row.get("val/top1")]
        return weights, [(row["epoch"], row["step"], row["train/loss_step"], row.get("val/top1", "")) for row in rows]

    whole, rows = fit("whole")
    again, later = fit("again", f"--ckpt_path={kept}")
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
    assert later[-1] == rows[-1]
    assert set(later) <= set(rows)


@pytest.mark.parametrize(
    ("accumulated", "after"),
    [
        pytest.param(1, False, id="before a batch"),
        pytest.param(1, True, id="in a batch"),
        pytest.param(2, False, id="in an accumulated step"),
    ],
)
def test_running_statistics_count_no_batch_twice(videogn, motion, tmp_path, monkeypatch, accumulated, after):
    """A batch that is trained again has been in BN's running statistics once already."""
    options = ["--trainer.max_epochs=2", "--model.norm=bn", f"--trainer.accumulate_grad_batches={accumulated}"]

    def fit(name, *more, status=0):
        assert videogn(*_whole_epochs(motion, tmp_path / name, *options, *more)) == status
        return torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)

    whole = fit("whole")["state_dict"]
    train = VideoClassifier.training_step

    def training_step(task, batch, index):
        loss = train(task, batch, index) if after or index != 3 else None
        if index == 3:
            raise ValueError("the end")
        return loss

    monkeypatch.setattr(VideoClassifier, "training_step", training_step)
    fit("part", status=2)
    monkeypatch.undo()
    monkeypatch.setattr("logging.root.handlers", [])
    both = fit("rest", f"--ckpt_path={tmp_path / 'part' / 'checkpoints' / 'last.ckpt'}")["state_dict"]
    assert [name for name, value in whole.items() if not torch.equal(value, both[name])] == []


class _Clock:
    """A second a training batch, whatever the machine does."""

    now = 1000.0

    def monotonic(self):
        return self.now


def test_a_training_by_the_clock(videogn, motion, tmp_path, monkeypatch):
    """The rate follows the seconds, and one that is resumed, a day later, goes on at the second where it was."""
    clock = _Clock()
    monkeypatch.setattr(timer, "time", clock)
    train = VideoClassifier.training_step
    saved = tmp_path / "whole" / "checkpoints" / "last.ckpt"
    middle = tmp_path / "middle.ckpt"

    def training_step(task, batch, index):
        clock.now += 1
        if task.global_step == 7 and not middle.exists():
            shutil.copy(saved, middle)  # as after a kill at this moment
        return train(task, batch, index)

    monkeypatch.setattr(VideoClassifier, "training_step", training_step)

    def fit(name, *more):
        options = ["--trainer.max_epochs=-1", "--trainer.max_time=00:00:00:12", "--model.schedule=cosine"]
        options += ["--model.base_batch=null", "--model.lr=0.1", "--checkpoint.minutes=0.000001"]
        options += ["--trainer.callbacks+=LearningRateMonitor", *more]
        assert videogn(*fit_arguments(motion, tmp_path / name, *options)) == 0
        last = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        with (tmp_path / name / "metrics.csv").open() as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("lr-SGD/pg1")]
        return last, {int(row["step"]): float(row["lr-SGD/pg1"]) for row in rows}

    last, rates = fit("whole")
    assert last["global_step"] == 12
    assert list(rates.values()) == pytest.approx([0.05 * (1 + math.cos(math.pi * n / 12)) for n in range(12)])
    clock.now += 24 * 3600
    last, again = fit("resumed", f"--ckpt_path={middle}")
    assert last["global_step"] == 12
    assert again == pytest.approx({step: rate for step, rate in rates.items() if step >= 7})


@pytest.mark.parametrize("norm", ["bn", "gn"])
def test_bf16_and_accumulation(videogn, motion, tmp_path, norm):
    # 8 frames: where T' = 2, torch 2.15 leaves parts of a 3x1x1 convolution's bfloat16 weight gradient unset on a CPU.
    more = [
        "--model.clip_length=8",
        f"--model.norm={norm}",
        "--trainer.precision=bf16-mixed",
        "--trainer.accumulate_grad_batches=2",
    ]
    assert (
        videogn(*fit_arguments(motion, tmp_path, *more, "--data.batch_size=2", "--trainer.limit_train_batches=4")) == 0
    )
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2
    # 2 clips x 2 batches of the 64 that lr 0.01 is for, at the first step of the step schedule
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["initial_lr"] == pytest.approx(0.01 * 4 / 64)


def test_print_config_shows_the_merged_configuration(videogn, tmp_path, capsys):
    for number, text in enumerate(("model:\n  norm: bn\n  interval: 4\n", "model:\n  norm: gn\n")):
        (tmp_path / f"{number}.yaml").write_text(text)
    configs = [f"--config={tmp_path / f'{number}.yaml'}" for number in (0, 1)]
    assert videogn("fit", *configs, "--print_config") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["model"]["norm"], printed["model"]["interval"]) == ("gn", 4)


@pytest.mark.slow
def test_every_option_of_the_task_has_its_type(videogn, capsys):
    """jsonargparse says so where it cannot find a type, and then checks nothing."""
    assert videogn("fit", "--help=model") == 0
    assert "Unvalidated" not in capsys.readouterr().out


def test_two_processes_train(motion, tmp_path):
    """Lightning starts the second one, by the command that started the first."""
    command = fit_arguments(motion, tmp_path, "--trainer.strategy=ddp", "--trainer.devices=2", "--data.batch_size=2")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "videogn", *command], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trained_twice = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    # 2 clips x 2 processes
    assert trained_twice["optimizer_states"][0]["param_groups"][0]["initial_lr"] == pytest.approx(0.01 * 4 / 64)


def test_two_processes_test_each_video_once(motion, trained, tmp_path):
    """7 videos on 2 processes: a padding sampler would count 8."""
    videos = tmp_path / "seven.txt"
    records = read_index(motion / "val.csv").records[:7]
    videos.write_text("".join(f"{os.path.abspath(record.path)}\texpand\n" for record in records))
    more = ["--trainer.strategy=ddp", "--trainer.devices=2", f"--data.test={videos}"]
    arguments = evaluation_arguments("test", motion, tmp_path, trained / "checkpoints" / "last.ckpt", *more)
    done = run_ranks(arguments, tmp_path / "log.txt")
    assert done.statuses == [0, 0], done.output
    counts = json.loads((tmp_path / "results.json").read_text())["counts"]
    assert (counts["expected"], counts["evaluated"]) == (7, 7)
    with (tmp_path / "predictions.csv").open() as lines:
        assert [row["path"] for row in csv.DictReader(lines)] == [os.path.abspath(record.path) for record in records]
