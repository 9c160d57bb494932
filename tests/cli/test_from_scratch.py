"""GroupNorm from random weights, on drawn videos of a fixed camera: at chance with SGD, not with the recipe."""

from __future__ import annotations

import csv
import math
import runpy
from pathlib import Path

import pytest
import yaml
from training import SMALL

from videogn.video.encode import write_video

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CLASSES = 6
#: A rate that BatchNorm bears.
SGD = {
    "model": {
        "arch": "i3d_tiny",
        "norm": "gn",
        "clip_length": 8,
        "interval": 1,
        "crop_size": 32,
        "short_side": 32,
        "crops": "center",
        "lr": 0.05,
        "base_batch": 8,
        "schedule": "cosine",
        "warmup": 0.05,
    },
    "data": {"batch_size": 8, "train_short_sides": [32, 32], "cache": "64MiB", "val_view": "augmented"},
    "trainer": {"max_epochs": 14, "check_val_every_n_epoch": 14},
}


@pytest.fixture(scope="module")
def fixed_camera(tmp_path_factory):
    """Six classes of 12 training and 4 validation videos, of 8 frames of 32 x 32."""
    out = tmp_path_factory.mktemp("fixed camera")
    clips = runpy.run_path(str(BENCHMARKS / "fixed_camera.py"))["draw_fixed_camera"](40.0)
    parts = (("train", clips.train[:, 0], clips.labels), ("val", clips.held_out[:24], clips.held_out_labels[:24]))
    for part, videos, labels in parts:
        for number, (video, label) in enumerate(zip(videos, labels.tolist(), strict=True)):
            path = out / part / f"angle {label}" / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, video.permute(1, 2, 3, 0).numpy(), crf=12)
    return out


@pytest.fixture
def fit(videogn, fixed_camera, tmp_path, caplog):
    """Train, and return the mean loss and the top-1 of the last epoch and the warnings."""

    def run(*more):
        (tmp_path / "sgd.yaml").write_text(yaml.safe_dump(SGD))
        logger = ["--trainer.logger=lightning.pytorch.loggers.CSVLogger", f"--trainer.logger.save_dir={tmp_path}"]
        folders = [f"--data.root={fixed_camera}", f"--trainer.default_root_dir={tmp_path}", *logger]
        assert videogn("fit", f"--config={tmp_path / 'sgd.yaml'}", *more, *SMALL, *folders) == 0
        (written,) = tmp_path.rglob("metrics.csv")
        rows = list(csv.DictReader(written.open()))
        last = {name: float(row[name]) for row in rows for name in ("train/loss_epoch", "val/top1") if row.get(name)}
        warned = [record.getMessage() for record in caplog.records if "not left chance" in record.getMessage()]
        return last["train/loss_epoch"], last["val/top1"], warned

    return run


def test_group_norm_with_sgd_stays_at_chance_and_is_warned_of(fit):
    loss, top1, warned = fit()
    assert loss > 0.97 * math.log(CLASSES)
    assert top1 < 0.35
    assert len(warned) == 1
    assert "--config from_scratch" in warned[0]


def test_it_trains_with_the_recipe(fit):
    loss, top1, warned = fit("--config=from_scratch")
    assert loss < 0.3
    assert top1 > 0.9
    assert warned == []
