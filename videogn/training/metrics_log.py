"""metrics.csv of a training run, in whole rows whatever happens to the disk."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from lightning.pytorch.core.saving import save_hparams_to_yaml
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment

from videogn.system.files import replacing
from videogn.system.room import naming
from videogn.video.storage import is_url


class MetricsLog(CSVLogger):
    """Lightning's CSVLogger with files that a full disk does not spoil.

    Lightning's empties metrics.csv before it writes the file again with another column, and hparams.yaml every time,
    and leaves half a row where the disk is full. Its options are the same.
    """

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """What writes the files; it makes their folder."""
        if self._experiment is None:
            self._fs.makedirs(self.root_dir, exist_ok=True)
            self._experiment = (ExperimentWriter if is_url(self.log_dir) else _WholeRows)(log_dir=self.log_dir)
        return self._experiment


class _WholeRows(ExperimentWriter):
    def log_hparams(self, params: dict[str, Any]) -> None:
        """Write hparams.yaml, with what was known before."""
        self.hparams.update(params)
        with replacing(Path(self.log_dir, self.NAME_HPARAMS_FILE)) as temporary:
            save_hparams_to_yaml(temporary, self.hparams)

    def save(self) -> None:
        """Write the rows since the last time; where that fails, the file is as before, and they are kept."""
        if not self.metrics:
            return
        path = Path(self.metrics_file_path)
        new_columns = self._record_new_keys()
        if path.is_file() and not new_columns:
            self._append(path)
        else:
            before = _rows(path)
            with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
                rows = csv.DictWriter(out, fieldnames=self.metrics_keys)
                rows.writeheader()
                rows.writerows([*before, *self.metrics])
        self.metrics = []

    def _append(self, path: Path) -> None:
        size = path.stat().st_size
        try:
            with naming(path), path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, fieldnames=self.metrics_keys).writerows(self.metrics)
        except OSError:
            os.truncate(path, size)
            raise


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
