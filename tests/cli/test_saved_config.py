"""config.yaml of a training run is that of Lightning, and whole or not there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from full_disk import files_of_at_most
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from videogn.cli.saved_config import SaveConfigOfFit


def _saved(kind: type[SaveConfigCallback], folder, stage: str = "fit"):
    parser = LightningArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--name", type=str | None, default=None)
    strategy = SimpleNamespace(broadcast=lambda value: value)
    trainer = SimpleNamespace(log_dir=str(folder), is_global_zero=True, strategy=strategy)
    config = parser.parse_args(["--rate=0.5"])
    kind(parser, config, overwrite=True).setup(trainer, None, stage)  # type: ignore[arg-type]
    return folder / "config.yaml"


def test_it_is_what_lightning_would_write(tmp_path):
    ours, theirs = _saved(SaveConfigOfFit, tmp_path / "ours"), _saved(SaveConfigCallback, tmp_path / "theirs")
    assert ours.read_text() == theirs.read_text()
    assert "name: null" in ours.read_text()


def test_a_test_writes_none(tmp_path):
    assert not _saved(SaveConfigOfFit, tmp_path, "test").exists()


@pytest.mark.parametrize("before", [None, "rate: 0.1\n"])
def test_a_full_disk_leaves_none_or_the_one_before(tmp_path, before):
    if before:
        (tmp_path / "config.yaml").write_text(before)
    with files_of_at_most(5), pytest.raises(OSError, match=r"config\.yaml cannot be written \(File too large"):
        _saved(SaveConfigOfFit, tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])
