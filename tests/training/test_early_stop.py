"""The end of a training run whose validation accuracy no longer rises."""

from __future__ import annotations

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch

from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.optimisation import Optimisation

ACCURACIES = [0.1, 0.4, 0.3, 0.4, 0.2, 0.9, 0.1]


class _Toy(pl.LightningModule):
    """Whose accuracies are known beforehand."""

    def __init__(self, patience, validate=True):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.patience, self.validate = patience, validate

    def configure_callbacks(self):
        return Optimisation(early_stopping=self.patience).callbacks("val/top1")

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.zeros(2, 1))

    def val_dataloader(self):
        return torch.utils.data.DataLoader(torch.zeros(1, 1)) if self.validate else []

    def training_step(self, batch, index):
        return self.layer(batch).sum()

    def validation_step(self, batch, index):
        self.log("val/top1", torch.tensor(ACCURACIES[self.current_epoch]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _fit(toy, folder, *, epochs=7, ckpt_path=None, **options):
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, **options}
    options |= {"accelerator": "cpu", "num_sanity_val_steps": 0}
    checkpoint = RunCheckpoint(dirpath=folder, save_last=True)
    trainer = pl.Trainer(max_epochs=epochs, callbacks=[checkpoint], **options)
    trainer.fit(toy, ckpt_path=ckpt_path)
    return trainer.global_step // 2  # epochs


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (3, 5), (4, 7), (None, 7)])
def test_it_stops_after_so_many_validations_without_a_better_one(tmp_path, patience, epochs, caplog):
    """An equal one is not better."""
    with caplog.at_level("INFO", logger="videogn"):
        assert _fit(_Toy(patience), tmp_path) == epochs
    lines = [line for line in caplog.messages if line.startswith("early stopping")]
    stopped = f"at step {2 * epochs}: val/top1 was not better than 40.0 % in the last {patience} validation"
    stopped += "s" * (patience != 1)
    assert lines == ([f"early stopping {stopped}"] if epochs < 7 else [])


@pytest.mark.parametrize("at", [2, 3, 4])
def test_a_resumed_run_stops_where_it_would_have(tmp_path, at):
    _fit(_Toy(3), tmp_path / "part", epochs=at)
    assert _fit(_Toy(3), tmp_path / "rest", ckpt_path=tmp_path / "part" / "last.ckpt") == 5


def test_one_that_was_stopped_goes_on_only_with_more_patience(tmp_path, caplog):
    last = tmp_path / "part" / "last.ckpt"
    assert _fit(_Toy(2), tmp_path / "part") == 4
    caplog.clear()
    with caplog.at_level("INFO", logger="videogn"):
        assert _fit(_Toy(2), tmp_path / "same", ckpt_path=last) == 4
    assert any(line.startswith("early stopping at step 8") for line in caplog.messages)
    assert _fit(_Toy(4), tmp_path / "more", ckpt_path=last) == 7


def test_without_validations_it_is_refused(tmp_path):
    with pytest.raises(ValueError, match="early_stopping 2 looks at validations, and this training run has none"):
        _fit(_Toy(2), tmp_path, limit_val_batches=0)
    (callback,) = Optimisation(early_stopping=2).callbacks("val/top1")
    trainer = SimpleNamespace(enable_validation=True, datamodule=SimpleNamespace(splits={"train": ()}))
    with pytest.raises(ValueError, match="has none"):
        callback.on_fit_start(trainer, None)
