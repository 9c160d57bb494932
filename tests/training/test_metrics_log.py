"""metrics.csv and hparams.yaml of a training run on a full disk: whole, and gone on with."""

from __future__ import annotations

import csv

import pytest
import yaml
from full_disk import files_of_at_most
from lightning.pytorch.loggers import CSVLogger

from videogn.training.metrics_log import MetricsLog


def _log(logger: CSVLogger, first: int, count: int, **further: float) -> None:
    for step in range(first, first + count):
        logger.log_metrics({"loss": 1 / (step + 1), **further}, step)


def _rows(logger: CSVLogger) -> list[dict[str, str]]:
    with open(logger.experiment.metrics_file_path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_are_those_of_lightning(tmp_path):
    found = []
    for kind, name in ((CSVLogger, "theirs"), (MetricsLog, "ours")):
        logger = kind(tmp_path / name, name="", version="", flush_logs_every_n_steps=3)
        logger.log_hyperparams({"lr": 0.1, "names": ["a", "b"]})
        _log(logger, 0, 7)
        _log(logger, 7, 5, top1=0.5)
        logger.finalize("success")
        found.append({path.name: path.read_bytes().replace(b"\r", b"") for path in (tmp_path / name).iterdir()})
    assert found[0] == found[1]
    assert sorted(found[0]) == ["hparams.yaml", "metrics.csv"]


@pytest.mark.parametrize("further", [{}, {"top1": 0.5}])
def test_a_full_disk_loses_no_row(tmp_path, further):
    """Neither one that is there, be it that a column is new, nor one that is to come."""
    logger = MetricsLog(tmp_path, name="", version="", flush_logs_every_n_steps=1000)
    _log(logger, 0, 20)
    logger.save()
    before = (tmp_path / "metrics.csv").read_bytes()
    _log(logger, 20, 20, **further)
    with (
        files_of_at_most(len(before) + 100),
        pytest.raises(OSError, match=r"metrics\.csv cannot be written \(File too large"),
    ):
        logger.save()
    assert (tmp_path / "metrics.csv").read_bytes() == before
    logger.save()
    assert [int(row["step"]) for row in _rows(logger)] == list(range(40))


def test_hyperparameters_are_whole_or_as_before(tmp_path):
    logger = MetricsLog(tmp_path, name="", version="")
    logger.log_hyperparams({"lr": 0.1})
    with files_of_at_most(100), pytest.raises(OSError, match=r"hparams\.yaml cannot be written"):
        logger.log_hyperparams({"names": "x" * 1000})
    assert yaml.safe_load((tmp_path / "hparams.yaml").read_text()) == {"lr": 0.1}
    assert [path.name for path in tmp_path.iterdir()] == ["hparams.yaml"]
