"""The motion data set on disk."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from videogn.choices import MotionSettings
from videogn.data.data_layout import find_splits
from videogn.data.sources import read_index
from videogn.data.synthetic import writing
from videogn.data.synthetic.motion import MOTIONS
from videogn.data.synthetic.writing import write_motion_dataset
from videogn.system.killable import ProcessDiedError
from videogn.system.room import WriteError
from videogn.video import decode_frames, read_frame_table

SMALL = {"videos_per_class": 2, "val_videos_per_class": 1, "size": 16, "frames": 4}


def _hashes(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_motion_dataset(tmp_path_factory.mktemp("small") / "a", MotionSettings(**SMALL))


def test_layout_is_that_of_kinetics(motion):
    """SPLIT/CLASS/ID_START_END.mp4 with eleven characters of id, and SPLIT.csv beside."""
    assert sorted(path.name for path in motion.iterdir()) == ["motion.json", "train", "train.csv", "val", "val.csv"]
    for split, count in (("train", 4), ("val", 2)):
        assert sorted(path.name for path in (motion / split).iterdir()) == sorted(MOTIONS)
        with (motion / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["label", "youtube_id", "time_start", "time_end", "split"]
        assert len(rows) == count * 8
        assert len({row["youtube_id"] for row in rows}) == len(rows)
        for row in rows:
            assert len(row["youtube_id"]) == 11
            name = f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}.mp4"
            assert (motion / split / row["label"] / name).is_file()
            assert row["split"] == split
            assert (row["time_start"], row["time_end"]) == ("0", "2")  # 32 frames of 1/30 s


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("val", 2)])
def test_table_and_class_folders_are_the_same_index(motion, split, count):
    table, folders = read_index(motion / f"{split}.csv"), read_index(motion / split)
    assert table.classes == folders.classes == tuple(sorted(MOTIONS))
    assert not table.missing()
    assert sorted((r.path, r.label) for r in table.records) == sorted((r.path, r.label) for r in folders.records)
    assert len(table) == 8 * count
    assert set(find_splits(motion)) == {"train", "val"}


def test_videos_are_as_asked(motion):
    """H.264, 32 frames of 32 x 32 at 30 frames a second, no two alike."""
    videos = sorted(motion.rglob("*.mp4"))
    for path in videos:
        info = read_frame_table(path).info
        assert (info.frames, info.fps, info.height, info.width) == (32, 30, 32, 32)
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
    assert len({path.read_bytes() for path in videos}) == len(videos) == 48


def test_contrast_and_noise_survive_the_encoder(motion):
    """Decoded, frames of one video differ from those of another in strength by far more than among themselves."""
    deviations = np.array([decode_frames(path, range(32)).std(axis=(1, 2, 3)) for path in motion.rglob("*.mp4")])
    assert deviations.mean(1).max() > 5 * deviations.mean(1).min()
    assert (deviations.std(1) < 0.2 * deviations.mean(1)).all()


def test_the_same_arguments_give_the_same_bytes(small, tmp_path):
    assert _hashes(write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL))) == _hashes(small)


def test_two_workers_give_the_same_bytes(small, tmp_path):
    assert _hashes(write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL), workers=2)) == _hashes(small)


def test_another_seed_gives_other_videos_and_the_same_table(small, tmp_path):
    other, first = _hashes(write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL, seed=1))), _hashes(small)
    assert other.keys() == first.keys()
    assert {name for name in first if first[name] == other[name]} == {"train.csv", "val.csv"}


def test_more_videos_keep_the_first_ones(small, tmp_path):
    larger = _hashes(write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL | {"videos_per_class": 3})))
    assert all(larger[name] == digest for name, digest in _hashes(small).items() if name.endswith(".mp4"))


def test_a_complete_one_is_left_alone(small):
    before = {path: os.stat(path).st_mtime_ns for path in small.rglob("*")}
    assert write_motion_dataset(small, MotionSettings(**SMALL)) == small
    assert {path: os.stat(path).st_mtime_ns for path in small.rglob("*")} == before


def test_one_of_a_version_without_the_option_noise_is_the_same(small, tmp_path):
    out = shutil.copytree(small, tmp_path / "old")
    manifest = json.loads((out / "motion.json").read_text())
    assert manifest.pop("noise") == 90
    (out / "motion.json").write_text(json.dumps(manifest))
    assert write_motion_dataset(out, MotionSettings(**SMALL)) == out
    with pytest.raises(ValueError, match="holds a motion data set made with"):
        write_motion_dataset(out, MotionSettings(**SMALL, noise=120))


def test_an_interrupted_one_is_completed(small, tmp_path):
    """Stopped after five videos, before the manifest."""

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL), progress=stop)
    assert len(list((tmp_path / "b").rglob("*.mp4"))) == 5
    assert not json.loads((tmp_path / "b" / "motion.json").read_text())["complete"]
    assert _hashes(write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL))) == _hashes(small)


def test_progress_counts_every_video(tmp_path):
    calls = []
    write_motion_dataset(
        tmp_path / "b", MotionSettings(**SMALL), progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(done, 24) for done in range(1, 25)]


def test_a_quarter_is_for_validation_by_default(tmp_path):
    out = write_motion_dataset(tmp_path / "b", MotionSettings(videos_per_class=1, size=16, frames=1))
    assert json.loads((out / "motion.json").read_text())["val_videos_per_class"] == 1
    assert len(list((out / "val").rglob("*.mp4"))) == 8


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "b").mkdir()
    write_motion_dataset(tmp_path / "b", MotionSettings(videos_per_class=1, size=16, frames=1))
    assert (tmp_path / "b" / "motion.json").is_file()


@pytest.mark.parametrize("change", [{"seed": 5}, {"frames": 5}, {"size": 18}, {"videos_per_class": 3}])
def test_other_parameters_are_refused(small, change):
    before = _hashes(small)
    with pytest.raises(ValueError, match="made with"):
        write_motion_dataset(small, MotionSettings(**SMALL | change))
    assert _hashes(small) == before


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="something else"):
        write_motion_dataset(tmp_path, MotionSettings(**SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_somebody_elses_data_set_is_refused(tmp_path):
    """A Kinetics root looks like an interrupted motion data set by its top level; its tables must not be lost."""
    (tmp_path / "train" / "abseiling").mkdir(parents=True)
    (tmp_path / "train" / "abseiling" / "0347ZoDXyP0_000095_000105.mp4").write_bytes(b"video")
    (tmp_path / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nabseiling,0347ZoDXyP0,95,105,train\n"
    )
    before = _hashes(tmp_path)
    with pytest.raises(ValueError, match="something else"):
        write_motion_dataset(tmp_path, MotionSettings(**SMALL))
    assert _hashes(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"videos_per_class": 0}, "videos_per_class must be >= 1, got 0"),
        ({"val_videos_per_class": -1}, "val_videos_per_class must be >= 1, got -1"),
        ({"size": 14}, "size must be >= 16, got 14"),
        ({"size": 33}, "even .*33"),
        ({"frames": 0}, "frames must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
    ],
)
def test_wrong_numbers(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        write_motion_dataset(tmp_path / "b", MotionSettings(**SMALL | change))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_full_disk_ends_it_at_once(tmp_path, monkeypatch, workers):
    """No other video is begun, and the next run makes all of them."""
    begun = []

    def full(video):
        begun.append(video)
        raise WriteError(f"{video.path} cannot be written (No space left on device, 0 B free)")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_write_one", full)
        # As in processes, other work is begun while one piece is done.
        patched.setattr(writing, "_written", lambda _, video: time.sleep(0.1) or full(video))
        with pytest.raises(WriteError, match=r"\.mp4 cannot be written"):
            write_motion_dataset(tmp_path, MotionSettings(**SMALL | {"videos_per_class": 5}), workers=workers)
    assert len(begun) <= 4 * workers
    write_motion_dataset(tmp_path, MotionSettings(**SMALL | {"videos_per_class": 5}))
    assert len(list(tmp_path.rglob("*.mp4"))) == 6 * len(MOTIONS)


class _Dying:
    """A process that is killed for want of memory, for instance."""

    def call(self, name, video, limit):
        raise ProcessDiedError("its process was ended by SIGKILL")


def test_a_writer_that_is_killed_is_named(tmp_path):
    video = writing._Video(tmp_path / "a.mp4", "left", 16, 4, 0, (0,))
    with pytest.raises(OSError, match=r"a\.mp4 cannot be written \(its process was ended by SIGKILL\)$"):
        writing._written(_Dying(), video)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_the_whole_group(tmp_path, number, status):
    """As Ctrl-C in a terminal sends it: one line, and the same command makes the rest."""
    words = ["data", "synth", str(tmp_path), "--videos-per-class=2000", "--workers=2", "--size=64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "videogn", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not any(tmp_path.rglob("*.mp4")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == status
    assert said.splitlines()[-1] == "videogn: error: interrupted: the same command begins anew"
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 2  # the bar


@pytest.mark.parametrize("manifest", ["{}", "[1]", '{"complete"', "\xff", '{"complete": true, "complete": []}'])
def test_a_damaged_manifest_is_named(tmp_path, manifest):
    (tmp_path / "motion.json").write_text(manifest)
    with pytest.raises(ValueError, match=str(tmp_path)) as caught:
        write_motion_dataset(tmp_path, MotionSettings(**SMALL))
    assert len(str(caught.value).splitlines()) == 1
