"""A training run in the cycles of multigrid: shapes, rates, statistics and frames of every step; what is refused."""

from __future__ import annotations

import json
import logging
import math

import pytest
from lightning.pytorch import Callback, Trainer
from training import fit_arguments

from videogn.data.datamodule import VideoDataModule
from videogn.training.callbacks import TrainingCost
from videogn.training.multigrid_training import follow_cycles
from videogn.training.optimisation import Optimisation
from videogn.training.task import VideoClassifier

#: Clips of 8 frames of 32 pixels, 2 a batch; 32 videos. T x S x S and clips of the phases' steps, by hand.
PHASES = [
    [(2, 16, 32), (2, 23, 16), (2, 23, 16)],
    [(4, 16, 16), (4, 23, 8), (4, 23, 8)],
    [(4, 16, 16), (4, 23, 8), (4, 32, 4)],
    [(8, 16, 8), (8, 23, 4), (8, 32, 2)],
    [(8, 16, 8), (8, 23, 4), (8, 32, 2)],
]
MULTIPLES = [8, 4, 2, 1, 1]
#: 16 steps: 2 to a part of the long cycle, then the fine-tuning.
STEPS = [(phase, turn) for phase, count in enumerate([2, 2, 2, 2, 8]) for turn in range(count)]


class _Recorder(Callback):
    """What every step had."""

    def __init__(self):
        self.steps, self.parts, self.validated = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        (crop,) = batch.samples[0].crops
        shape = (batch.samples[0].clips.shape[1], crop.height, len(batch.samples))
        self.steps.append((shape, trainer.optimizers[0].param_groups[0]["lr"]))

    def on_after_backward(self, trainer, pl_module):
        self.parts.append({layer.parts for layer in pl_module.net.modules() if hasattr(layer, "parts")})

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.append({(s.clips.shape[1], s.crops[0].height) for s in batch.samples})


def _fit(motion, folder, *, norm="bn", side=32, task=None, trainer=None, batch_size=2):
    base = {"clip_length": 8, "interval": 1, "crop_size": side, "short_side": side}
    loading = {"batch_size": batch_size, "num_workers": 0, "time_limit": 0}
    data = VideoDataModule(str(motion), **base, **loading, multigrid="both", train_short_sides=(side, side + 4))
    extra = {"arch": "i3d_tiny", "arch_options": {"width": 8}, "base_batch": 2, "lr": 0.01, "milestones": (0.5,)}
    model = VideoClassifier(norm=norm, class_names=data.class_names, **{**base, **extra, **(task or {})})
    recorder = _Recorder()
    limits = {"max_epochs": -1, "max_steps": 16, "check_val_every_n_epoch": 4, "num_sanity_val_steps": 0}
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "accelerator": "cpu"}
    run = Trainer(
        default_root_dir=folder, callbacks=[recorder, TrainingCost()], **{**limits, **quiet, **(trainer or {})}
    )
    run.fit(model, data)
    return recorder, run


@pytest.fixture(scope="module")
def trained(motion, tmp_path_factory):
    """A run with BatchNorm, its log and its folder."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("videogn.training.multigrid_training")
    logger.addHandler(handler)
    level, logger.level = logger.level, logging.INFO
    folder = tmp_path_factory.mktemp("multigrid")
    try:
        recorder, run = _fit(motion, folder)
    finally:
        logger.removeHandler(handler)
        logger.level = level
    return recorder, run, lines, folder


def test_every_step_has_its_shape(trained):
    recorder, *_ = trained
    assert [shape for shape, _ in recorder.steps] == [PHASES[phase][turn % 3] for phase, turn in STEPS]


def test_the_rate_follows_the_long_cycle_alone(trained):
    """Lowered in the middle of the fine-tuning, at step 12, where the milestone of the shapes is step 8."""
    recorder, *_ = trained
    expected = [0.01 * MULTIPLES[phase] * (0.1 if step >= 12 else 1) for step, (phase, _) in enumerate(STEPS)]
    assert [rate for _, rate in recorder.steps] == pytest.approx(expected)


def test_statistics_are_of_as_many_parts_as_the_long_cycle_has_batches(trained):
    recorder, *_ = trained
    assert recorder.parts == [{MULTIPLES[phase]} for phase, _ in STEPS]


def test_validation_has_base_clips(trained):
    recorder, *_ = trained
    assert recorder.validated
    assert all(shapes == {(8, 32)} for shapes in recorder.validated)


def test_the_cost_has_the_clips_and_frames_of_the_steps(trained):
    *_, folder = trained
    cost = json.loads((folder / "cost.json").read_text())
    shapes = [PHASES[phase][turn % 3] for phase, turn in STEPS]
    assert cost["steps"] == 16
    assert cost["clips"] == sum(clips for *_, clips in shapes)
    assert cost["frames"] == sum(frames * clips for frames, _, clips in shapes)


def test_a_line_for_every_phase(trained):
    _, _, lines, _ = trained
    assert lines[0] == (
        "multigrid from step 0 of 16: batches in turn of 32 clips 2 x 16 x 16, 16 clips 2 x 23 x 23, "
        "16 clips 2 x 23 x 23; 8 x the batch, for which the rate is scaled"
    )
    assert [int(line.split()[3]) for line in lines] == [0, 2, 4, 6, 8]


def test_groupnorm_is_unchanged_and_steps_may_be_accumulated(motion, tmp_path):
    """Both batches of a step have its shape."""
    recorder, _ = _fit(motion, tmp_path, norm="gn", trainer={"max_steps": 5, "accumulate_grad_batches": 2})
    shapes = [shape for shape, _ in recorder.steps]
    first, second, base = PHASES[0], PHASES[1], PHASES[4]
    assert shapes[::2] == shapes[1::2] == [first[0], second[0], PHASES[3][0], base[0], base[1]]
    assert all(parts == set() for parts in recorder.parts)


def test_a_dry_run_trains_the_largest_batch(motion, tmp_path):
    recorder, _ = _fit(motion, tmp_path, norm="gn", trainer={"fast_dev_run": True})
    assert [shape for shape, _ in recorder.steps] == [PHASES[0][0]]


def test_an_epoch_is_a_share_of_the_steps(motion, tmp_path):
    """5 epochs of 3 steps have the clips of 5 passes; limit_train_batches shortens each, and the cycles with it."""
    _, run = _fit(motion, tmp_path, norm="gn", trainer={"max_epochs": 5, "max_steps": -1, "limit_train_batches": 2})
    steps = run.datamodule.multigrid_steps
    assert (steps.epoch_steps, steps.steps, run.global_step) == (2, 10, 10)


@pytest.mark.parametrize(
    ("scaling", "base_batch", "multiple"), [("linear", 64, 8), ("sqrt", 64, math.sqrt(8)), ("linear", None, 1)]
)
def test_the_rate_scales_by_the_rule_of_batches(trained, scaling, base_batch, multiple):
    _, run, *_ = trained
    steps = run.datamodule.multigrid_steps
    settings, factor = follow_cycles(Optimisation(scaling=scaling, base_batch=base_batch), steps)
    assert factor(0) == pytest.approx(multiple)
    assert settings.milestones == (0.75,)
    assert follow_cycles(settings, None)[0] is settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 3}, "takes batches of up to 48 clips, but a process has 32 .*: lower batch_size to 2 or less"),
        ({"trainer": {"overfit_batches": 2}}, "overfit_batches repeats a few batches"),
        ({"trainer": {"limit_train_batches": 0.5}}, "limit_train_batches must be a number of whole steps .* got 0.5"),
        (
            {"trainer": {"limit_train_batches": 3, "accumulate_grad_batches": 2}},
            "limit_train_batches must be a number of whole steps with multigrid, got 3",
        ),
        ({"trainer": {"max_steps": -1, "max_time": "00:00:01:00"}}, "multigrid needs the length of the run beforehand"),
        ({"task": {"scheduler": lambda optimizer: None}}, "leave out --model.scheduler"),
        (
            {"side": 64, "task": {"arch_options": {"width": 8, "pool_window": (None, 2, 2)}}},
            "multigrid both trains on clips of 2 x 32 x 32 too, which the network does not take: crop_size must be >=",
        ),
        ({"task": {"milestones": ()}}, "multigrid both needs --model.milestones"),
    ],
)
def test_what_cannot_be_planned_is_refused(motion, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        _fit(motion, tmp_path, norm="gn", **options)


def test_a_run_of_other_shapes_is_not_resumed(videogn, motion, tmp_path, capsys):
    """Neither one of one shape by multigrid, nor one of multigrid with another length."""
    more = ["--data.batch_size=2", "--model.clip_length=8", "--model.interval=1"]
    assert videogn(*fit_arguments(motion, tmp_path / "one", *more)) == 0
    resumed = f"--ckpt_path={tmp_path / 'one' / 'checkpoints' / 'last.ckpt'}"
    again = ["--trainer.max_epochs=2", "--data.multigrid=both", resumed]
    assert videogn(*fit_arguments(motion, tmp_path / "two", *more, *again)) == 2
    assert (
        "trained with clips of one shape, not multigrid both over 4 steps, milestones 0.375, 0.75: resume with the same"
        in capsys.readouterr().err
    )
