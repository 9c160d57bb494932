"""Videos that cannot be decoded, from the command line to what a run leaves and how it exits."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import pytest
from hanging_decoder import hang_at_some_files
from training import evaluation_arguments, fit_arguments

from videogn.data.datamodule import VideoDataModule
from videogn.data.records import Records


@pytest.fixture
def copied(motion, tmp_path):
    """A copy of the motion data set that a test may damage: 32 training and 16 validation videos."""
    for split in ("train", "val"):
        shutil.copytree(motion / split, tmp_path / "data" / split)
    return tmp_path / "data"


def _empty(root, split, count):
    """Damage the first videos of a split; returns their paths."""
    videos = sorted((root / split).rglob("*.mp4"))[:count]
    for video in videos:
        video.write_bytes(b"")
    return [str(video) for video in videos]


def _fit(root, out, *more):
    """Whole epochs, so that every video is met; decoded, as usual, in a process that can be killed."""
    arguments = [a for a in fit_arguments(root, out) if "limit_train" not in a]
    return [*arguments, "--data.time_limit=60", "--data.batch_size=8", *more]


def _column(out, name):
    with (out / "metrics.csv").open() as lines:
        return [float(row[name]) for row in csv.DictReader(lines) if row.get(name)]


def _listed(out):
    with (out / "failures.csv").open(newline="", encoding="utf-8") as lines:
        return [tuple(row.values()) for row in csv.DictReader(lines)]


def test_too_many_end_the_training_with_their_list(videogn, copied, tmp_path, capsys, caplog):
    """2 of 32 is more than 5 %: status 2, one line, every one of them with its reason in the log and in a file."""
    broken = _empty(copied, "train", 2)
    assert videogn(*_fit(copied, tmp_path / "out")) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("videogn: error: 2 of 32 training videos cannot be decoded, at most 1 may: ")
    assert "videogn data index" in last
    assert "--data.max_failures" in last
    assert str(tmp_path / "out" / "failures.csv") in last
    assert sorted(_listed(tmp_path / "out")) == [(path, "file is empty") for path in broken]
    for path in broken:
        assert f"failed: {path}: file is empty" in caplog.messages


def test_one_is_allowed_and_named_once(videogn, copied, tmp_path, caplog):
    (broken,) = _empty(copied, "train", 1)
    assert videogn(*_fit(copied, tmp_path / "out", "--data.max_failures=0.001", "--trainer.max_epochs=3")) == 0
    named = [message for message in caplog.messages if broken in message]
    assert named == [f"{broken}: file is empty; another video takes its place"]
    assert all(count >= 1 for count in _column(tmp_path / "out", "train/failed"))
    assert len(_column(tmp_path / "out", "train/failed")) == 3
    assert not (tmp_path / "out" / "failures.csv").exists()


def test_none_may_fail_where_the_budget_is_0(videogn, copied, tmp_path, capsys):
    _empty(copied, "train", 1)
    assert videogn(*_fit(copied, tmp_path / "out", "--data.max_failures=0")) == 2
    assert "1 of 32 training videos cannot be decoded, at most 0 may" in capsys.readouterr().err


def test_a_larger_budget(videogn, copied, tmp_path):
    _empty(copied, "train", 3)
    assert videogn(*_fit(copied, tmp_path / "out", "--data.max_failures=0.1")) == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_training_goes_on_when_a_decoder_hangs(videogn, copied, tmp_path, monkeypatch, caplog, workers):
    hang_at_some_files(monkeypatch)
    video = sorted((copied / "train").rglob("*.mp4"))[5]
    hanging = video.rename(video.with_name("hangs.mp4"))
    more = ["--data.time_limit=4", f"--data.num_workers={workers}"]
    assert videogn(*_fit(copied, tmp_path / "out", *more)) == 0
    reason = "not decoded within 4 s; the decoder was stopped"
    assert f"{hanging}: {reason}; another video takes its place" in caplog.messages


def test_validation_in_a_training_counts_and_does_not_end_it(videogn, copied, tmp_path, caplog):
    broken = _empty(copied, "val", 3)
    assert videogn(*_fit(copied, tmp_path / "out", "--trainer.max_epochs=2")) == 0
    assert _column(tmp_path / "out", "val/failed") == [3, 3]
    assert _column(tmp_path / "out", "val/evaluated") == [13, 13]
    for path in broken:
        assert [message for message in caplog.messages if path in message] == [f"{path}: file is empty"]
    assert any("3 of 16 validation videos cannot be decoded, at most 1 may" in message for message in caplog.messages)


@pytest.mark.parametrize(("count", "status"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("command", ["validate", "test"])
def test_an_evaluation_goes_through_and_says_by_its_status(
    videogn, copied, trained, tmp_path, caplog, command, count, status
):
    broken = _empty(copied, "val", count)
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert videogn(*evaluation_arguments(command, copied, tmp_path / "out", checkpoint)) == status
    for path in broken:
        assert f"{path}: file is empty" in caplog.messages
    assert (tmp_path / "out" / "failures.csv").exists() == (status == 1)
    if command == "test":
        counts = json.loads((tmp_path / "out" / "results.json").read_text())["counts"]
        assert {name: counts[name] for name in ("expected", "evaluated", "failed")} == {
            "expected": 16,
            "evaluated": 16 - count,
            "failed": count,
        }


def test_what_an_index_knows_is_left_out_and_does_not_count(motion):
    data = VideoDataModule(
        str(motion), clip_length=4, interval=2, crop_size=24, short_side=28, train_short_sides=(26, 32), num_workers=0
    )
    index = data.splits["train"]
    records = [replace(r, error="truncated: ends early") if n < 4 else r for n, r in enumerate(index.records)]
    data.splits["train"] = replace(index, records=Records.of(records), checked=True)
    batches = list(data.training_loader(seed=0))
    assert not any(batch.failed for batch in batches)
    assert {s.path for batch in batches for s in batch.samples} <= {record.path for record in records[4:]}
    assert data.failures("train").expected == 28
    data.splits["val"] = data.splits["train"]
    failed = [(s.path, s.error) for batch in data.val_dataloader() for s in batch.failed]
    assert failed == [(record.path, "truncated: ends early") for record in records[:4]]
