"""--trainer.gradient_clip_val beside accumulation, number formats and the look at numbers that are not finite."""

from __future__ import annotations

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from videogn.training.nonfinite_policy import NonfinitePolicy


class _Toy(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(4, 3)
        self.states = [self._values()]

    def _values(self):
        return torch.cat([parameter.detach().flatten().clone() for parameter in self.parameters()]).double()

    def train_dataloader(self):
        clips = torch.randn(12, 1, 4, generator=torch.Generator().manual_seed(1))
        batches = [SimpleNamespace(samples=[SimpleNamespace(path="a.mp4")], clips=each) for each in clips]
        return torch.utils.data.DataLoader(batches, collate_fn=lambda batch: batch[0])

    def training_step(self, batch, index):
        return 100 * self.layer(batch.clips).sum()

    def on_train_batch_end(self, *_):
        if len(self.states) == self.trainer.global_step:
            self.states.append(self._values())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_step_is_as_long_as_the_rate_times_the_norm(precision, accumulate):
    """Of the gradients added up, and after the loss scale is taken out again."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    options = {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]} if precision == "16-mixed" else {}
    toy = _Toy()
    pl.Trainer(
        max_epochs=1,
        precision=None if options else precision,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=0.25,
        callbacks=[NonfinitePolicy("stop")],
        enable_checkpointing=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        **options,
    ).fit(toy)
    lengths = [(after - before).norm().item() for before, after in zip(toy.states, toy.states[1:], strict=False)]
    assert lengths == pytest.approx([0.5 * 0.25] * (12 // accumulate), rel=1e-3)
