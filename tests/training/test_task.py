"""The LightningModule's own arithmetic, against loops."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Timer, timer

from videogn.axes import Batch, Crop, Sample
from videogn.training.course import course
from videogn.training.task import VideoClassifier
from videogn.training.task_settings import CONTRACT

NAMES = [f"class {number}" for number in range(7)]


def _task(**options) -> VideoClassifier:
    arguments = {
        "arch": "i3d_tiny",
        "arch_options": {"width": 8},
        "class_names": NAMES,
        "clip_length": 4,
        "crop_size": 32,
    }
    task = VideoClassifier(**{**arguments, **options})
    for parameter in task.net.parameters():  # gamma 0 would make every block an identity
        torch.nn.init.normal_(parameter, std=0.2)
    return task.eval()


CROPS = (Crop(0, 0, 32, 32), Crop(2, 4, 32, 32, flip=True))


def _sample(label=3, clips=5, crops=CROPS, position=0) -> Sample:
    frames = torch.randint(0, 256, (12, 36, 40, 3), dtype=torch.uint8)
    indices = torch.randint(0, 12, (clips, 4))
    starts = tuple(indices[:, 0].tolist())
    return Sample(position, "a.mp4", label, frames=frames, clips=indices, crops=crops, starts=starts, num_frames=12)


@pytest.mark.parametrize("clips_per_forward", [1, 3, 10, 100])
def test_probabilities_are_softmax_then_positions_then_crops(clips_per_forward):
    task = _task(clips_per_forward=clips_per_forward, arch_options={"width": 8, "pool_window": (None, 1, 1)})
    sample = _sample(crops=(Crop(0, 0, 36, 40), Crop(0, 0, 36, 40, flip=True)))
    with torch.no_grad():
        got = task.clip_probabilities(sample)
        for row, indices in zip(got, sample.clips, strict=True):
            expected = np.zeros(7)
            for crop in sample.crops:
                view = sample.frames[indices].numpy().astype(np.float64)  # (T, H, W, 3)
                view = view[:, :, ::-1] if crop.flip else view
                view = (view / 255 - 0.45) / 0.225
                logits = task.net(torch.from_numpy(view.transpose(3, 0, 1, 2)[None].copy()).float())[0].double().numpy()
                assert logits.shape[1:] == (1, 2, 2)  # more than one position
                logits = logits.reshape(7, -1)
                powers = np.exp(logits - logits.max(axis=0))
                expected += (powers / powers.sum(axis=0)).mean(axis=1) / 2
            # The network computes in float32.
            np.testing.assert_allclose(row.numpy(), expected, atol=1e-5)


def test_training_asks_every_position_for_the_class():
    task = _task(arch_options={"width": 8, "pool_window": (None, 1, 1)})
    task.log = lambda *a, **k: None  # type: ignore[method-assign]
    samples = [_sample(label, clips=1, crops=(Crop(0, 0, 36, 40),)) for label in (1, 5)]
    with torch.no_grad():
        loss = task.training_step(Batch(samples, []), 0)
        terms = []
        for sample in samples:
            clip = sample.frames[sample.clips[0]].permute(3, 0, 1, 2).float()[None]
            logits = task.net((clip / 255 - 0.45) / 0.225)[0]
            terms += [-logits[:, t, h, w].log_softmax(0)[sample.label] for t, h, w in np.ndindex(*logits.shape[1:])]
    assert loss.item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)


def test_a_video_with_logits_that_are_not_finite_fails_and_is_named():
    task = _task()
    with torch.no_grad():
        task.net.blocks[-1].proj.bias[2] = float("nan")
        task.on_test_epoch_start()
        task.test_step(Batch([_sample()], [Sample(1, "b.mp4", 2, error="file is empty")]), 0)
    failed, broken = reversed(list(task._test.results))
    assert (failed.path, failed.error) == ("b.mp4", "file is empty")
    assert "not finite" in broken.error
    assert not broken.hit(1)


def test_validation_skips_a_batch_without_videos():
    task = _task()
    task.validation_step(Batch([], [Sample(0, "a.mp4", 1, error="file is empty")]), 0)
    assert not task.val_loss.update_called


def test_top_5_of_fewer_classes():
    task = _task(class_names=["a", "b", "c"])
    assert task.val_metrics["val/top5"].top_k == 3
    assert task.val_metrics["val/top1"].average == "micro"


def test_the_contract_is_in_the_hyper_parameters():
    assert set(CONTRACT) <= set(_task().hparams)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "i3d_r5"}, "did you mean 'i3d_r50'"),
        ({"class_names": []}, "class_names must name at least one class"),
        ({"clips_per_forward": 0}, "clips_per_forward must be > 0, got 0"),
        ({"warmup": 1.0}, "warmup"),
        ({"milestones": (0.5, 1.5)}, "milestones"),
        ({"scaling": "sqr"}, "scaling must be one of linear, sqrt, got 'sqr'; did you mean 'sqrt'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        _task(**options)


def _trainer(limit, steps=math.inf):
    strategy = SimpleNamespace(broadcast=lambda value: value)
    return SimpleNamespace(estimated_stepping_batches=steps, callbacks=[Timer(limit)], strategy=strategy)


def test_the_course_of_a_training_by_the_clock(monkeypatch):
    """In seconds; one that is resumed goes on at the second where it was, whatever the time between."""
    clock = SimpleNamespace(now=50.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(timer, "time", clock)
    trainer = _trainer("00:00:01:40")
    total, position = course(trainer)
    assert (total, position(7)) == (100.0, 0.0)
    trainer.callbacks[0].on_train_start(trainer, None)
    clock.now += 30.5
    assert position(0) == position(999) == 30.5
    saved = trainer.callbacks[0].state_dict()
    clock.now += 1e6
    resumed = _trainer("00:00:01:40")
    resumed.callbacks[0].load_state_dict(saved)
    total, position = course(resumed)
    assert (total, position(0)) == (100.0, 30.5)
    clock.now += 10  # loading
    resumed.callbacks[0].on_train_start(resumed, None)
    clock.now += 1
    assert position(0) == 31.5


def test_steps_say_more_than_the_clock():
    """Where both end a training, as --trainer.max_epochs with a time that it should not need."""
    total, position = course(_trainer("00:00:01:40", steps=12))
    assert (total, position(7)) == (12, 7.0)


@pytest.mark.parametrize("callbacks", [[], [Timer(None)]])
def test_a_training_without_end_has_no_course(callbacks):
    with pytest.raises(ValueError, match=r"set --trainer\.max_epochs, max_steps or max_time"):
        course(SimpleNamespace(estimated_stepping_batches=math.inf, callbacks=callbacks))
