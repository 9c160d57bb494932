"""fit --find_lr: a range test of learning rates in the place of a training run."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from videogn.cli.lightning_cli import VideoCLI
from videogn.training.callbacks.rate_finder import STEPS, RateFinder, suggest_rate
from videogn.training.optimisation import scaled_learning_rate

_log = logging.getLogger(__name__)

#: The picture, in the folder of the runs.
PICTURE = "learning_rate.png"
#: Flags of the Trainer: nothing is written, validated or resumed.
_TRAINER = {
    "max_epochs": -1,
    "max_steps": STEPS,
    "max_time": None,
    "min_epochs": None,
    "min_steps": None,
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "logger": False,
    "callbacks": None,
    "enable_checkpointing": False,
    "limit_val_batches": 0,
    "num_sanity_val_steps": 0,
}
#: Options of the model that the test has no use for: it sets the rate of every step itself.
_MODEL = {"scheduler": None, "warmup": 0.0, "warmup_epochs": 0.0, "ema": None, "early_stopping": None}

#: And of the data: the rate is one of base clips, as --model.lr with multigrid.
_DATA = {"multigrid": None}


class RateFinding(VideoCLI):
    """Trains 100 steps at growing rates, says which rate to take, and leaves a picture and nothing else."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self._command]
        if config.ckpt_path is not None:
            raise ValueError("find_lr begins with the initial weights: give --model.init_from in place of --ckpt_path")
        base_batch = config.model.base_batch  # as it will be with --model.lr
        super().before_instantiate_classes()
        config.model.base_batch = base_batch
        for section, settings in ((config.trainer, _TRAINER), (config.model, _MODEL), (config.data, _DATA)):
            for name, value in settings.items():
                section[name] = value
        self.finder = RateFinder()
        self.trainer_defaults = {"callbacks": [self.finder]}
        self.save_config_callback = None

    def fit(self, **options: Any) -> None:
        """Test; numbers that are not finite are how it may end."""
        with suppress(FloatingPointError):
            self.trainer.fit(**options)

    def after_fit(self) -> None:
        """Say the rate, in the unit of --model.lr, and draw the picture."""
        from videogn.report.rate_figure import plot_rates

        batch = self.datamodule.batch_size * self.trainer.accumulate_grad_batches
        settings = self.model.settings
        scale = scaled_learning_rate(1.0, batch=batch, base_batch=settings.base_batch, scaling=settings.scaling)
        rates = [rate / scale for rate in self.finder.rates]
        found = suggest_rate(rates, self.finder.losses)
        folder = Path(self.trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        picture = plot_rates(rates, self.finder.losses, found.smooth.tolist(), found.steepest, folder / PICTURE)
        if found.steepest is None:
            _log.warning(
                "the loss did not fall clearly at any rate of %.2g to %.2g: no learning rate can be suggested; %s",
                *(rates[0], rates[len(found.smooth) - 1], picture),
            )
            return
        _log.info(
            "try --model.lr %.2g, where the loss falls fastest (%.2g in a step of %d clips); it is lowest at %.2g; %s",
            *(rates[found.steepest], self.finder.rates[found.steepest], batch, rates[found.lowest], picture),
        )
