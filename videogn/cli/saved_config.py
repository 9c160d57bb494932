"""config.yaml in the folder of a training run: whole or not at all, and of training runs only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.cli import SaveConfigCallback

from videogn.system.files import write_text
from videogn.video.storage import is_url


class SaveConfigOfFit(SaveConfigCallback):
    """Saves the configuration of a training run only, so that a test in the same folder does not overwrite it."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if stage == "fit":
            self._folder = trainer.log_dir  # every process must ask: the first one decides
            self.save_to_log_dir = is_url(self._folder)
            super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Write it, unless Lightning has, to a URL."""
        if not self.save_to_log_dir:
            write_text(Path(self._folder, self.config_filename), self.parser.dump(self.config, skip_none=False))
