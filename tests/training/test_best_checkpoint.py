"""The best checkpoint is kept beside the last one, over everything that may come between."""

from __future__ import annotations

import logging
import math
import os
import shutil

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel

from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.newest_checkpoint import find_checkpoint


class _Scripted(BoringModel):
    """A training run whose epochs come to the accuracies that it is given; an epoch may end in an error."""

    def __init__(self, scores, name="val/top1", error_in=None):
        super().__init__()
        self.scores, self.score_name, self.error_in = scores, name, error_in

    def on_validation_epoch_end(self):
        self.log(self.score_name, float(self.scores[self.current_epoch]))

    def training_step(self, batch, batch_idx):
        if self.current_epoch == self.error_in and batch_idx == 1:
            raise ValueError("the end")
        return super().training_step(batch, batch_idx)


def _fit(folder, scores, *, epochs=None, resume=None, validate=1, name="val/top1", error_in=None, **options):
    options = {"save_last": True, "save_on_exception": True, "minutes": 0, **options}
    checkpoint = RunCheckpoint(dirpath=folder, **options)
    trainer = pl.Trainer(
        max_epochs=len(scores) if epochs is None else epochs,
        limit_train_batches=2,
        limit_val_batches=validate,
        num_sanity_val_steps=0,
        callbacks=[checkpoint],
        logger=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(_Scripted(scores, name, error_in), ckpt_path=resume)
    return checkpoint


def _epochs(folder):
    """Name -> epoch of each checkpoint."""
    return {path.name: torch.load(path, weights_only=True)["epoch"] for path in folder.glob("*.ckpt")}


@pytest.mark.parametrize(
    ("scores", "best"),
    [([0.2, 0.6, 0.4], 1), ([0.6, 0.6, 0.2, 0.6], 0), ([0.1, 0.2], 1), ([0.0, 0.0], 0), ([math.nan, 0.1, math.nan], 1)],
    ids=["peak", "ties keep the first", "last", "nothing learnt", "not a number"],
)
def test_two_files(tmp_path, scores, best):
    assert _fit(tmp_path, scores).best_model_path == str(tmp_path / "best.ckpt")
    assert _epochs(tmp_path) == {"best.ckpt": best, "last.ckpt": len(scores) - 1}


@pytest.mark.parametrize(
    ("options", "best"),
    [
        ({"monitor": "val/loss"}, {"best.ckpt": 2}),
        ({"monitor": "val/loss", "mode": "max"}, {"best.ckpt": 1}),
        ({"monitor": None}, {"epoch=2.ckpt": 2}),
        ({"monitor": "val/loss", "save_top_k": 2}, {"epoch=0.ckpt": 0, "epoch=2.ckpt": 2}),
        ({"monitor": "val/loss", "filename": "{epoch}-{step}"}, {"epoch=2-step=6.ckpt": 2}),
        ({"monitor": "val/loss", "save_top_k": 0}, {}),
    ],
)
def test_what_is_kept_is_up_to_the_user(tmp_path, options, best):
    _fit(tmp_path, [0.5, 0.6, 0.4], name="val/loss", **options)
    assert _epochs(tmp_path) == {**best, "last.ckpt": 2}


@pytest.mark.parametrize("options", [{}, {"monitor": "val/loss"}])
def test_without_validations_the_newest_is_kept(tmp_path, options):
    checkpoint = _fit(tmp_path, [0.5, 0.6], validate=0, **options)
    assert _epochs(tmp_path) == {"epoch=1.ckpt": 1, "last.ckpt": 1}
    assert checkpoint.best_model_score is None


def test_a_link_is_to_the_last_one_and_never_to_an_older_best(tmp_path):
    _fit(tmp_path, [0.6, 0.2, 0.3], save_last="link")
    assert _epochs(tmp_path) == {"best.ckpt": 0, "last.ckpt": 2}
    assert not (tmp_path / "last.ckpt").is_symlink()


def test_an_error_does_not_touch_the_best(tmp_path):
    with pytest.raises(ValueError, match="the end"):
        _fit(tmp_path, [0.6, 0.2, 0.3], error_in=2)
    assert _epochs(tmp_path) == {"best.ckpt": 0, "last.ckpt": 2}


def test_an_error_where_there_is_no_last_one(tmp_path):
    with pytest.raises(ValueError, match="the end"):
        _fit(tmp_path, [0.6, 0.2, 0.3], error_in=2, save_last=None)
    assert _epochs(tmp_path) == {"best.ckpt": 0, "epoch=2.ckpt": 2}


@pytest.mark.parametrize("other_folder", [True, False])
@pytest.mark.parametrize(("rest", "best"), [([0.3, 0.6], 1), ([0.3, 0.7], 3)])
def test_a_resumed_run_knows_the_best(tmp_path, caplog, other_folder, rest, best):
    """Also from where it is copied to; 0.6 again is no better."""
    scores, one = [0.2, 0.6, *rest], tmp_path / "one"
    _fit(one, scores, epochs=2)
    other = tmp_path / "other" if other_folder else one
    checkpoint = _fit(other, scores, resume=one / "last.ckpt")
    assert _epochs(other) == {"best.ckpt": best, "last.ckpt": 3}
    assert float(checkpoint.best_model_score) == pytest.approx(max(scores))
    if other_folder:
        assert _epochs(one) == {"best.ckpt": 1, "last.ckpt": 1}  # stays as it was
    assert not [message for message in caplog.messages if "is gone" in message]


def test_a_kill_between_the_best_and_the_last(tmp_path):
    """The best is of a step that is still to come: it comes again, under its name."""
    scores = [0.2, 0.6, 0.3]
    _fit(tmp_path, scores, epochs=1)
    shutil.copy(tmp_path / "last.ckpt", tmp_path / "kept")
    _fit(tmp_path, scores, epochs=2, resume=tmp_path / "last.ckpt")
    shutil.copy(tmp_path / "kept", tmp_path / "last.ckpt")
    assert _epochs(tmp_path) == {"best.ckpt": 1, "last.ckpt": 0}
    checkpoint = _fit(tmp_path, scores, resume=tmp_path / "last.ckpt")
    assert _epochs(tmp_path) == {"best.ckpt": 1, "last.ckpt": 2}
    assert float(checkpoint.best_model_score) == pytest.approx(0.6)


@pytest.mark.parametrize("other_folder", [True, False])
@pytest.mark.parametrize("damage", [os.remove, lambda path: path.write_bytes(b"half of")])
def test_where_the_best_is_gone_the_next_best_is_kept(tmp_path, caplog, damage, other_folder):
    scores, one = [0.9, 0.2, 0.3, 0.25], tmp_path / "one"
    _fit(one, scores, epochs=2)
    damage(one / "best.ckpt")
    other = tmp_path / "other" if other_folder else one
    with caplog.at_level(logging.WARNING):
        checkpoint = _fit(other, scores, resume=one / "last.ckpt")
    (line,) = [message for message in caplog.messages if "best" in message]
    assert line.startswith(f"{one / 'best.ckpt'} is gone")
    assert _epochs(other) == {"best.ckpt": 2, "last.ckpt": 3}
    assert float(checkpoint.best_model_score) == pytest.approx(0.3)


def test_a_moved_run_takes_its_best_along(tmp_path):
    scores = [0.6, 0.2, 0.3]
    _fit(tmp_path / "one", scores, epochs=2)
    (tmp_path / "one").rename(tmp_path / "moved")
    _fit(tmp_path / "other", scores, resume=tmp_path / "moved" / "last.ckpt")
    assert _epochs(tmp_path / "other") == {"best.ckpt": 0, "last.ckpt": 2}


def test_what_another_run_has_kept_stays(tmp_path):
    """As last-v1.ckpt for the last one."""
    _fit(tmp_path / "other", [0.9])
    _fit(tmp_path / "one", [0.6, 0.2, 0.7], epochs=2)
    checkpoint = _fit(tmp_path / "other", [0.6, 0.2, 0.5], resume=tmp_path / "one" / "last.ckpt")
    assert _epochs(tmp_path / "other") == {"best.ckpt": 0, "last.ckpt": 0, "best-v1.ckpt": 0, "last-v1.ckpt": 2}
    assert float(checkpoint.best_model_score) == pytest.approx(0.6)
    assert checkpoint.best_model_path.endswith("best-v1.ckpt")


def test_a_run_of_an_earlier_version_goes_on(tmp_path, recwarn):
    """It kept the newest, under a key that is the same."""
    _fit(tmp_path, [0.9, 0.2], monitor=None)
    assert set(_epochs(tmp_path)) == {"epoch=1.ckpt", "last.ckpt"}
    _fit(tmp_path, [0.9, 0.2, 0.3, 0.1], resume=tmp_path / "last.ckpt")
    assert _epochs(tmp_path) == {"epoch=1.ckpt": 1, "best.ckpt": 2, "last.ckpt": 3}
    assert not [each for each in recwarn if "add the following callbacks" in str(each.message)]


def test_another_value_begins_anew(tmp_path):
    """An accuracy of 0.9 says nothing about losses."""
    _fit(tmp_path / "one", [0.1, 0.9])
    _fit(tmp_path / "two", [0, 0, 0.5, 0.7], name="val/loss", monitor="val/loss", resume=tmp_path / "one" / "last.ckpt")
    assert _epochs(tmp_path / "two") == {"best.ckpt": 2, "last.ckpt": 3}


def test_a_wrong_mode():
    with pytest.raises(ValueError, match="mode must be one of max, min, got 'most'"):
        RunCheckpoint(mode="most")


# --ckpt_path best and last.


@pytest.mark.parametrize(
    "places", [("", "checkpoints"), ("version_0", "version_1"), ("logs/version_0", "logs/version_1")]
)
def test_best_is_of_the_newest_run(tmp_path, places):
    old, new = (tmp_path / place / "checkpoints" for place in places)
    for folder, scores in ((old, [0.9, 0.1]), (new, [0.3, 0.2])):
        _fit(folder, scores)
    for name in ("best", "last"):
        os.utime(old / "last.ckpt", (1, 1))
        assert find_checkpoint(name, tmp_path, "test") == new / f"{name}.ckpt"
    os.utime(new / "last.ckpt", (0, 0))
    assert find_checkpoint("best", tmp_path, "validate") == old / "best.ckpt"


def test_best_by_any_name_and_value(tmp_path):
    _fit(tmp_path / "checkpoints", [0.3, 0.2, 0.5], name="val/loss", monitor="val/loss", filename="{epoch}")
    assert find_checkpoint("best", tmp_path, "test").name == "epoch=1.ckpt"


@pytest.mark.parametrize("options", [{"monitor": None}, {"validate": 0}])
def test_no_best_is_named_in_one_line(tmp_path, options):
    _fit(tmp_path / "checkpoints", [0.3], **options)
    with pytest.raises(
        ValueError, match=r"^no best checkpoint in .*checkpoints, .*; --ckpt_path last tests the last one$"
    ):
        find_checkpoint("best", tmp_path, "test")


def test_nothing_there_and_nothing_to_go_on_with(tmp_path):
    assert find_checkpoint("last", tmp_path, "fit") is None
    for name in ("last", "best"):
        with pytest.raises(ValueError, match=r"^no checkpoints in .*: nothing to validate$"):
            find_checkpoint(name, tmp_path, "validate")
    with pytest.raises(
        ValueError, match=r"^--ckpt_path best is for test and validate; a training run goes on from `last`"
    ):
        find_checkpoint("best", tmp_path, "fit")


def test_a_value_that_nothing_logs(tmp_path):
    with pytest.raises(ValueError, match=r"^checkpoint\.monitor must be one of val/top1, got 'val/top'; did you mean"):
        _fit(tmp_path, [0.2], monitor="val/top")
