"""The callbacks from the command line to what they leave."""

from __future__ import annotations

import csv
import itertools
import json
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from forked import run_ranks
from PIL import Image
from training import evaluation_arguments, fit_arguments

from videogn.axes import Batch, Sample
from videogn.data.datamodule import VideoDataModule
from videogn.norm import make_norm
from videogn.norm.precise_statistics import Statistics, clips_of_statistics, tracking_layers
from videogn.training.callbacks import (
    BatchNormDiagnosis,
    EffectiveBatch,
    FeaturePercentiles,
    PreciseBatchNorm,
    TrainingClips,
)
from videogn.training.callbacks.diagnosis import distances
from videogn.training.callbacks.precise_batch_norm import _parts
from videogn.training.task import VideoClassifier
from videogn.video.transforms import normalise


def _callback(name, **options):
    given = [f"--trainer.callbacks.{option}={value}" for option, value in options.items()]
    return [f"--trainer.callbacks+=videogn.training.callbacks.{name}", *given]


def _rows(path):
    with path.open() as lines:
        return list(csv.DictReader(lines))


def _column(out, name):
    return [float(row[name]) for row in _rows(out / "metrics.csv") if row.get(name)]


def _fit(videogn, motion, out, *more, norm="bn", epochs=2):
    options = [f"--model.norm={norm}", f"--trainer.max_epochs={epochs}", "--data.batch_size=4"]
    assert videogn(*fit_arguments(motion, out, *options, *more)) == 0
    return torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_precise_batch_norm_changes_statistics_and_nothing_of_the_training(videogn, motion, tmp_path, caplog):
    sanity = "--trainer.num_sanity_val_steps=1"
    plain = _fit(videogn, motion, tmp_path / "plain", sanity)
    with caplog.at_level(logging.INFO):
        precise = _fit(videogn, motion, tmp_path / "precise", sanity, *_callback("PreciseBatchNorm", num_batches=3))
    line = "precise BN: running statistics of 17 layers measured on 3 training batches x 1 process"
    assert caplog.messages.count(line) == 2  # one validation an epoch, none in the sanity check
    losses = [_column(tmp_path / name, "train/loss_step") for name in ("plain", "precise")]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    changed = {name for name in plain if not torch.equal(plain[name], precise[name])}
    assert changed
    assert all(name.endswith((".running_mean", ".running_var")) for name in changed)


def test_precise_batch_norm_before_a_test(videogn, motion, tmp_path, caplog):
    _fit(videogn, motion, tmp_path, epochs=1)
    arguments = evaluation_arguments("test", motion, tmp_path, tmp_path / "checkpoints" / "last.ckpt")
    more = _callback("PreciseBatchNorm", num_batches=1, variance="batch")
    with caplog.at_level(logging.INFO):
        assert videogn(*arguments, *more) == 0
    assert "measured on 1 training batches" in caplog.text
    assert '"seed": 0' in (tmp_path / "results.json").read_text()


def test_eval_norm_changes_validations_and_tests_and_nothing_of_the_training(videogn, motion, tmp_path, caplog):
    plain = _fit(videogn, motion, tmp_path / "plain", epochs=1)
    with caplog.at_level(logging.INFO):
        mixed = _fit(videogn, motion, tmp_path / "mixed", *_callback("EvalNorm", share=0.25), epochs=1)
    assert "EvalNorm: each clip has a share of 0.25 in the statistics of 17 layers" in caplog.messages
    assert all(torch.equal(plain[name], mixed[name]) for name in plain)
    assert _column(tmp_path / "plain", "val/loss") != _column(tmp_path / "mixed", "val/loss")
    scores = []
    for share in (None, 0, 1):
        out = tmp_path / f"test_{share}"
        more = [] if share is None else _callback("EvalNorm", share=share)
        checkpoint = tmp_path / "plain" / "checkpoints" / "last.ckpt"
        assert videogn(*evaluation_arguments("test", motion, out, checkpoint), *more) == 0
        scores.append(json.loads((out / "results.json").read_text())["calibration"]["nll"])
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)
    assert scores[2] != pytest.approx(scores[0], rel=1e-4)


def test_precise_batch_norm_without_training_videos(videogn, motion, tmp_path, capsys):
    _fit(videogn, motion, tmp_path, epochs=1)
    arguments = evaluation_arguments("test", motion, tmp_path, tmp_path / "checkpoints" / "last.ckpt")
    arguments = [a for a in arguments if "data.root" not in a]
    more = _callback("PreciseBatchNorm", num_batches=1)
    assert videogn(*arguments, f"--data.test={motion / 'val.csv'}", *more) == 2
    assert "precise BN needs training videos: there are no train videos: set --data.train" in capsys.readouterr().err


def test_a_network_without_running_statistics_is_left_alone(videogn, motion, tmp_path, caplog):
    plain = _fit(videogn, motion, tmp_path / "plain", norm="gn")
    more = [*_callback("PreciseBatchNorm"), *_callback("BatchNormDiagnosis")]
    with caplog.at_level(logging.INFO):
        beside = _fit(videogn, motion, tmp_path / "beside", *more, norm="gn")
    assert all(torch.equal(plain[name], beside[name]) for name in plain)
    for name in ("precise BN", "BN diagnosis"):
        assert caplog.messages.count(f"{name}: the network updates no running statistics, nothing to do") == 1
    assert not any(name.startswith("bn/") for name in _rows(tmp_path / "beside" / "metrics.csv")[0])


def test_distances_are_their_formulas():
    rng = np.random.default_rng(0)
    means, variances = rng.normal(size=(2, 5)), rng.uniform(0.1, 2, size=(2, 5))
    batch, running = (Statistics(torch.tensor(means[i]), torch.tensor(variances[i])) for i in (0, 1))
    mean, std = distances(batch, running, 0.01)
    terms = [
        (abs(m_b - m) / math.sqrt(v + 0.01), abs(math.log(math.sqrt(v_b + 0.01) / math.sqrt(v + 0.01))))
        for m_b, m, v_b, v in zip(*means, *variances, strict=True)
    ]
    np.testing.assert_allclose((mean, std), np.mean(terms, axis=0), rtol=1e-12)
    assert distances(batch, batch, 0.01) == (0, 0)


def test_bn_diagnosis_logs_every_layer_and_changes_nothing(videogn, motion, tmp_path):
    plain = _fit(videogn, motion, tmp_path / "plain", epochs=4)
    out = tmp_path / "diagnosed"
    diagnosed = _fit(videogn, motion, out, *_callback("BatchNormDiagnosis", every_n_epochs=2, num_batches=2), epochs=4)
    assert all(torch.equal(plain[name], diagnosed[name]) for name in plain)
    names = set(_rows(out / "metrics.csv")[0])
    layers = [name.removesuffix(".running_mean")[4:] for name in plain if name.endswith(".running_mean")]
    wanted = {f"bn/{layer}/{distance}_distance" for layer in layers for distance in ("mean", "std")}
    assert len(wanted) == 34
    assert wanted < names
    for distance in ("mean_distance", "std_distance"):
        each = np.array([_column(out, f"bn/{layer}/{distance}") for layer in layers])  # (layers, epochs)
        assert each.shape == (17, 2)
        assert (each > 0).all()
        np.testing.assert_allclose(_column(out, f"bn/{distance}"), each.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(_column(out, f"bn/{distance}_max"), each.max(axis=0), rtol=1e-5)
    kinds = ("batch_statistics", "running_statistics", "gap")
    trained, evaluated, gap = (np.array(_column(out, f"bn/top1_{kind}")) for kind in kinds)
    np.testing.assert_allclose(gap, trained - evaluated, atol=1e-6)
    assert set((8 * trained).round(4)) <= set(range(9))  # 2 batches of 4 clips


def test_precise_statistics_are_what_is_diagnosed(videogn, motion, tmp_path):
    """Both draw the same training set; two steps of momentum 0.1 are far from it, precise statistics are near."""
    found = {}
    for name, first in (("running", []), ("precise", _callback("PreciseBatchNorm", num_batches=8))):
        _fit(videogn, motion, tmp_path / name, *_callback("BatchNormDiagnosis", num_batches=8), *first, epochs=1)
        found[name] = [_column(tmp_path / name, f"bn/{what}_distance")[0] for what in ("mean", "std")]
    assert all(precise < 0.5 * running for precise, running in zip(found["precise"], found["running"], strict=True))


def test_percentiles_are_those_of_the_output(videogn, motion, tmp_path):
    more = _callback("FeaturePercentiles", layer="blocks.5", percentiles="[0,50,99.5]", num_batches=1)
    _fit(videogn, motion, tmp_path, *more, "--data.eval_batch_size=4", norm="gn")
    rows = _rows(tmp_path / "percentiles_blocks.5.csv")
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "2"), ("2", "4")]
    assert (tmp_path / "percentiles_blocks.5.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.partial*"))
    task = VideoClassifier.load_from_checkpoint(tmp_path / "checkpoints" / "last.ckpt").eval()
    data = VideoDataModule(
        str(motion), clip_length=4, interval=2, crop_size=32, short_side=32, train_short_sides=(32, 36), batch_size=4
    )
    caught = []
    task.net.blocks[5].register_forward_hook(lambda _, __, output: caught.append(output.double().numpy()))
    with torch.no_grad():
        task.training_logits(next(iter(data.val_dataloader())))
    expected = np.percentile(caught[0], (0, 50, 99.5))
    np.testing.assert_allclose(
        [float(rows[1][name]) for name in ("p0", "p50", "p99.5")], expected, rtol=1e-4, atol=1e-6
    )


def test_percentiles_of_a_resumed_training_go_on(videogn, motion, tmp_path):
    more = [*_callback("FeaturePercentiles", layer="blocks.0.norm"), "--trainer.val_check_interval=1"]
    _fit(videogn, motion, tmp_path, *more, epochs=1)
    first = _rows(tmp_path / "percentiles_blocks.0.norm.csv")
    assert [row["epoch"] for row in first] == ["0.5", "1"]
    _fit(videogn, motion, tmp_path, *more, f"--ckpt_path={tmp_path / 'checkpoints' / 'last.ckpt'}")
    rows = _rows(tmp_path / "percentiles_blocks.0.norm.csv")
    assert rows[:2] == first
    assert [row["epoch"] for row in rows] == ["0.5", "1", "1.5", "2"]


def test_a_wrong_layer_is_named_before_the_training(videogn, motion, tmp_path, capsys):
    arguments = fit_arguments(motion, tmp_path, *_callback("FeaturePercentiles", layer="blocks.5.res_block"))
    assert videogn(*arguments) == 2
    error = capsys.readouterr().err
    assert "the network has no layer 'blocks.5.res_block'; did you mean 'blocks.5.res_blocks'?" in error


def test_the_effective_batch_is_said(videogn, motion, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        _fit(videogn, motion, tmp_path / "bn", "--trainer.accumulate_grad_batches=2")
    line = (
        "effective batch: 4 clips a normalisation batch, 8 an optimiser step\n  (4 clips x 1 device x 2 accumulated), "
        f"lr {0.01 * 8 / 64:g}"
    )
    assert line in caplog.messages
    assert any(message.startswith("statistics are of 4 clips, steps of 8:") for message in caplog.messages)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        more = ["--trainer.accumulate_grad_batches=2", "--model.warmup=0.5"]
        _fit(videogn, motion, tmp_path / "gn", *more, norm="gn")
    said = next(message for message in caplog.messages if message.startswith("effective batch"))
    assert said.startswith(line)
    assert said.endswith("at this step)")  # warming up
    assert not any(message.startswith("statistics are of") for message in caplog.messages)


def test_sub_batches_are_normalisation_batches():
    layers = list(tracking_layers(torch.nn.ModuleList([make_norm("sub_bn", clips=2)(4), make_norm("bn")(4)])).values())
    assert clips_of_statistics(layers, 8) == 2
    assert clips_of_statistics(layers[1:], 8) == 8
    assert clips_of_statistics([], 8) == 8


def test_sub_batches_are_measured_one_at_a_time():
    layers = [make_norm("sub_bn", clips=2)(4)]
    batches = [
        Batch(samples=[Sample(position, "a.mp4", 0) for position in range(start, start + 4)], failed=[])
        for start in (0, 4)
    ]
    parts = [[sample.position for sample in part.samples] for part in _parts(batches, layers)]
    assert parts == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [len(part.samples) for part in _parts(batches, [make_norm("bn")(4)])] == [4, 4]


@pytest.mark.parametrize(("norm", "seen"), [("bn", 4), ("sync_bn", 8), ("gn", 4)])
def test_synchronised_statistics_are_of_all_devices(norm, seen, caplog):
    trainer = SimpleNamespace(
        is_global_zero=True,
        train_dataloader=SimpleNamespace(clips=4),
        world_size=2,
        accumulate_grad_batches=1,
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.005}])],
    )
    module = _task_of([], norm, {"groups": 2} if norm == "gn" else {})
    with caplog.at_level(logging.INFO):
        EffectiveBatch().on_train_start(trainer, module)
    line = "an optimiser step\n  (4 clips x 2 devices x 1 accumulated), lr 0.005"
    assert caplog.messages[0] == f"effective batch: {seen} clips a normalisation batch, 8 {line}"
    assert [message.startswith("statistics are of 2 x 4 clips") for message in caplog.messages[1:]] == [True] * (
        seen == 8
    )


def _task_of(layers, norm, options):
    """What the callback reads of a task: of a network from outside with a norm after some layers."""
    net = torch.nn.Sequential(*layers, make_norm(norm, **options)(4))
    hparams = {"arch": "mine.net", "norm": norm, "norm_options": options}
    return SimpleNamespace(net=net, hparams=hparams, freezing=SimpleNamespace(frozen_modules=()))


@pytest.mark.parametrize(
    ("layer", "norm", "lacking"),
    [
        (torch.nn.Conv3d(3, 4, 1), "ws+gn", "norm.conv(...)"),
        (torch.nn.ReLU(), "evonorm_s0", "norm.activation(...)"),
        (torch.nn.ReLU(), "nf", "norm.conv(...) and norm.activation(...)"),
        (make_norm("mabn").conv(3, 4, 1), "mabn", None),
        (torch.nn.Conv3d(3, 4, 1), "bn", None),
    ],
)
def test_a_network_that_leaves_out_what_its_norm_goes_with_is_said_to(caplog, layer, norm, lacking):
    trainer = SimpleNamespace(
        is_global_zero=True,
        train_dataloader=SimpleNamespace(clips=4),
        world_size=1,
        accumulate_grad_batches=1,
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])],
    )
    EffectiveBatch().on_train_start(
        trainer, _task_of([layer], norm, {"groups": 2} if norm in ("ws+gn", "evonorm_s0") else {})
    )
    said = f"norm {norm} goes with more than its layers, which mine.net leaves out: build it with {lacking} too"
    assert (said in caplog.messages) == (lacking is not None)


def test_two_processes_measure_together(motion, tmp_path):
    """The statistics saved are those of both processes' clips, and only the first one writes."""
    more = [*_callback("PreciseBatchNorm", num_batches=2), *_callback("BatchNormDiagnosis", num_batches=1)]
    more += _callback("FeaturePercentiles")
    ddp = ["--trainer.strategy=ddp", "--trainer.devices=2", "--model.norm=bn", "--data.batch_size=2"]
    done = run_ranks(fit_arguments(motion, tmp_path, *ddp, *more), tmp_path / "log.txt")
    assert done.statuses == [0, 0], done.output
    assert (
        "effective batch: 2 clips a normalisation batch, 4 an optimiser step\n  (2 clips x 2 devices x 1" in done.output
    )
    assert "measured on 2 training batches x 2 processes" in done.output
    assert len(_rows(tmp_path / "percentiles_blocks.5.csv")) == 1
    assert len(_column(tmp_path, "bn/top1_gap")) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PreciseBatchNorm(0), "num_batches must be > 0, got 0"),
        (lambda: PreciseBatchNorm(variance="bach"), "did you mean 'batch'"),
        (lambda: BatchNormDiagnosis(0), "every_n_epochs must be > 0, got 0"),
        (lambda: FeaturePercentiles(percentiles=(1, 101)), r"0\.\.100, got \[1, 101\]"),
        (lambda: FeaturePercentiles(percentiles=()), r"0\.\.100, got \[\]"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_picture_of_the_first_batch_shows_what_the_network_sees(tmp_path):
    """Rows are clips, columns frames; the later batches are not kept."""
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    net, trainer = torch.nn.Identity(), SimpleNamespace(is_global_zero=True, log_dir=str(tmp_path))
    task = SimpleNamespace(net=net, input_mean=mean, input_std=std)
    views = torch.randint(0, 256, (3, 3, 5, 6, 7), dtype=torch.uint8)
    callback = TrainingClips(num_clips=2, num_frames=3)
    for batch, seen in enumerate((views, views.flip(0))):
        callback.on_train_batch_start(trainer, task, None, batch)
        net(normalise(seen, mean, std))
    picture = np.array(Image.open(tmp_path / "training_clips.png"))
    assert picture.shape == (2 * 6 + 3 * 4, 3 * 7 + 4 * 4, 3)
    for clip, (column, frame) in itertools.product(range(2), enumerate((0, 2, 4))):
        part = picture[4 + clip * 10 :, 4 + column * 11 :][:6, :7]
        assert np.array_equal(part, views[clip, :, frame].permute(1, 2, 0).numpy())
    assert (picture[:4] == 255).all()


def test_the_picture_changes_nothing_of_the_training(videogn, motion, tmp_path):
    more = ["--model.mixup=0.8", "--model.rand_augment=9"]
    plain = _fit(videogn, motion, tmp_path / "plain", *more, epochs=1)
    beside = _fit(videogn, motion, tmp_path / "beside", *more, *_callback("TrainingClips", num_frames=2), epochs=1)
    assert all(torch.equal(plain[name], beside[name]) for name in plain)
    assert Image.open(tmp_path / "beside" / "training_clips.png").size == (2 * 32 + 3 * 4, 4 * 32 + 5 * 4)
