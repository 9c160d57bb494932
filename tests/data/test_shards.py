"""Tar shards as one table of videos: which samples there are, their labels, and that each is taken exactly once."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import DataLoader

import videogn.data.sampler
import videogn.video.storage
from videogn.axes import VideoRecord
from videogn.choices import NetworkInput
from videogn.data.dataset import VideoDataset, collate
from videogn.data.plans import centre_plan
from videogn.data.sampler import VideoSampler
from videogn.data.shards import find_shards
from videogn.data.sources import read_index
from videogn.data.splits import read_splits
from videogn.data.video_index import VideoIndex
from videogn.video.storage import read_source


def pack(shard: Path, members: dict[str, bytes | str], form: int = tarfile.GNU_FORMAT) -> Path:
    """Write a tar file of these members, in order."""
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, "w", format=form) as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return shard


def table(index: VideoIndex) -> list[tuple[str, str]]:
    return [(index.relative_path(record), index.classes[record.label]) for record in index.records]


# Samples and labels


@pytest.mark.parametrize(
    ("members", "rows"),
    [
        ({"a.mp4": "v", "a.cls": "1", "b.mp4": "v", "b.cls": "0\n"}, {"a.mp4": "1", "b.mp4": "0"}),
        ({"a.cls": "swim", "a.mp4": "v", "b.mkv": "v", "b.cls": "bowl"}, {"a.mp4": "swim", "b.mkv": "bowl"}),
        (
            {"a.mp4": "v", "a.json": '{"label": 1}', "b.mp4": "v", "b.json": '{"class": 0}'},
            {"a.mp4": "1", "b.mp4": "0"},
        ),
        ({"a.mp4": "v", "a.json": '{"class": "swim", "url": 1}'}, {"a.mp4": "swim"}),
        ({"a.mp4": "v", "a.txt": "riding a bike\n"}, {"a.mp4": "riding a bike"}),
        ({"swim/a.mp4": "v", "x/bowl/b.MP4": "v"}, {"swim/a.mp4": "swim", "x/bowl/b.MP4": "bowl"}),
        ({"swim/a.mp4": "v", "swim/a.json": '{"fps": 30}'}, {"swim/a.mp4": "swim"}),
        ({"d/a.mp4": "v", "d/a.cls": "0", "d/a.txt": "a caption"}, {"d/a.mp4": "0"}),
        ({"d.x/a.mp4": "v", "d.x/a.cls": "0"}, {"d.x/a.mp4": "0"}),
        ({"a.seg.mp4": "v", "a.cls": "0"}, {"a.seg.mp4": "0"}),
        ({"swim/a.mp4": "v", "README": "", "swim/._a.mp4": "", ".hidden.mp4": ""}, {"swim/a.mp4": "swim"}),
        ({f"swim/{'x' * 300}.mp4": "v"}, {f"swim/{'x' * 300}.mp4": "swim"}),
    ],
)
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_samples(tmp_path, members, rows, form):
    index = read_index(pack(tmp_path / "x.tar", members, form))
    assert table(index) == [(f"x.tar/{name}", label) for name, label in rows.items()]
    assert index.missing() == []
    assert index.root == str(tmp_path)


def test_given_classes_number_the_labels(tmp_path):
    shard = pack(tmp_path / "x.tar", {"a.mp4": "v", "a.cls": "swim", "b.mp4": "v", "b.cls": "0"})
    assert [record.label for record in read_index(shard, classes=["bowl", "swim"]).records] == [1, 0]
    with pytest.raises(ValueError, match=r"x\.tar, sample 'a': unknown class 'swim'; did you mean 'swims'\?"):
        read_index(shard, classes=["swims"])


def test_a_sample_without_a_video_stays_as_a_failed_one(tmp_path):
    index = read_index(pack(tmp_path / "x.tar", {"a.cls": "0", "b.mp4": "v", "b.cls": "0", "a.json": "{}"}))
    error = "missing: the sample has no video, only cls, json"
    assert index.records[0] == VideoRecord(f"{tmp_path}/x.tar/a", 0, None, error)
    assert index.missing() == [index.records[0]]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.mp4": "v"}, r"x\.tar, sample 'a' has no label; expected a member beside the video with the suffix \.cls"),
        (
            {"a.mp4": "v", "a.cls": "0", "s/b.mp4": "v"},
            r"x\.tar, sample 'a' has its label in a \.cls, but .*x\.tar, sample 's/b' in a folder; use one kind",
        ),
        (
            {"s/a.1.mp4": "v", "s/a.2.mp4": "v"},
            r"sample 's/a' has two videos, s/a\.1\.mp4 and s/a\.2\.mp4; a sample's key",
        ),
        ({"a.mp4": "v", "a.json": "{"}, r"x\.tar, sample 'a': its \.json is not JSON"),
        ({"a.mp4": "v", "a.cls": "0", "b.mp4": "v", "b.cls": "x"}, r"label 'x' is a name, but '0' is a number"),
        ({"README": "?"}, r"no video in .*x\.tar; expected .* or tar shards"),
    ],
)
def test_errors(tmp_path, members, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_index(pack(tmp_path / "x.tar", members))
    assert "\n" not in str(caught.value)


def test_what_is_no_tar_file(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"no" * 5000)
    with pytest.raises(ValueError, match=r"x\.tar: not a tar file"):
        read_index(tmp_path / "x.tar")


@pytest.mark.parametrize(
    "keep", [512, 512 + 700, 512 + 1024, 512 + 1024 + 100, 512 + 1024 + 512 + 1, 512 + 1024 + 512 + 1024]
)
def test_a_shard_that_is_cut_short_is_refused(tmp_path, keep):
    """Wherever the cut is, also between two members: nobody knows how many samples followed."""
    whole = pack(tmp_path / "x.tar", {"s/a.mp4": bytes(1024), "s/b.mp4": bytes(1000)}).read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"x\.tar is cut short after \d members; copy it again, or leave it out"):
        read_index(tmp_path / "x.tar")


# Naming shards


@pytest.fixture
def shards(tmp_path) -> Path:
    """train-000.tar ... train-011.tar of two samples each."""
    for number in range(12):
        members = {f"{label}/{number:02d}.mp4": "v" for label in ("bowl", "swim")}
        pack(tmp_path / "shards" / f"train-{number:03d}.tar", members)
    return tmp_path / "shards"


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("train-{000..011}.tar", range(12)),
        ("train-{003..001}.tar", [3, 2, 1]),
        ("train-{000,01{0,1}}.tar", [0, 10, 11]),
        ("train-00[12].tar", [1, 2]),
        ("train-*.tar", range(12)),
        ("{train,*}-01{0..1}.tar", [10, 11]),
        ("train-007.tar", [7]),
        ("", range(12)),
    ],
)
def test_patterns(shards, pattern, numbers):
    expected = [str(shards / f"train-{number:03d}.tar") for number in numbers]
    assert find_shards(str(shards / pattern)) == expected


def test_a_shard_that_braces_name_must_exist(shards):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*train-012\.tar; did you mean"):
        read_index(shards / "train-{010..012}.tar")
    with pytest.raises(FileNotFoundError, match=r"no shard .*val-\*\.tar"):
        read_index(shards / "val-*.tar")


def test_the_same_videos_however_they_are_named(shards):
    by_folder, by_pattern = read_index(shards), read_index(shards / "train-{000..011}.tar")
    assert by_folder.records == by_pattern.records
    assert by_folder.fingerprint() == by_pattern.fingerprint()
    assert by_folder.root == by_pattern.root == str(shards)
    assert len(by_folder) == 24
    shutil.move(shards, shards.parent / "moved")
    assert read_index(shards.parent / "moved").fingerprint() == by_folder.fingerprint()


def test_class_folders_beside_the_archive_that_they_came_from(tmp_path):
    (tmp_path / "swim").mkdir()
    (tmp_path / "swim/a.mp4").touch()
    pack(tmp_path / "swim.tar", {"swim/b.mp4": "v"})
    assert table(read_index(tmp_path)) == [("swim/a.mp4", "swim")]


def test_shards_in_an_object_store(shards):
    store = fsspec.filesystem("memory")
    for path in shards.iterdir():
        store.pipe_file(f"/bucket/k/{path.name}", path.read_bytes())
    local = read_index(shards)
    for source in ("memory://bucket/k/train-*.tar", "memory://bucket/k/train-{000..011}.tar", "memory://bucket/k"):
        index = read_index(source)
        assert table(index) == table(local)
        assert index.fingerprint() == local.fingerprint()
        assert index.missing() == []
    assert index.records[0].path.startswith("memory://")


def test_splits_of_shards(shards):
    for number in range(2):
        shutil.move(shards / f"train-{number:03d}.tar", shards / f"val-{number:03d}.tar")
    splits = read_splits(str(shards), {}, val_fraction=0.5, class_names=None, seed=0)
    assert {split: len(index) for split, index in splits.items()} == {"train": 20, "val": 4, "test": 4}


def test_shards_without_splits_are_divided_class_by_class(shards):
    for path in shards.iterdir():
        path.rename(shards / path.name.removeprefix("train-"))
    splits = read_splits(str(shards), {}, val_fraction=0.25, class_names=None, seed=0)
    assert {split: len(index) for split, index in splits.items()} == {"train": 18, "val": 6, "test": 6}
    assert Counter(record.label for record in splits["val"].records) == {0: 3, 1: 3}


# Reading


@pytest.fixture
def motion_shards(motion, tmp_path) -> Path:
    """The validation videos of the motion data set, 16 of them, in five shards."""
    files = sorted((motion / "val").glob("*/*.mp4"))
    for number in range(5):
        chosen = files[number::5]
        pack(tmp_path / f"val-{number}.tar", {f"{file.parent.name}/{file.name}": file.read_bytes() for file in chosen})
    return tmp_path


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_video_once_over_two_processes_of_two_workers(motion, motion_shards, monkeypatch, shuffle):
    index = read_index(motion_shards / "val-*.tar")
    plan = centre_plan(NetworkInput(clip_length=4, interval=1, short_side=32, crop_size=32))
    dataset = VideoDataset(index.records, plan)
    monkeypatch.setattr(videogn.data.sampler, "world_size", lambda: 2)
    seen: Counter[tuple[str, int]] = Counter()
    for process in range(2):
        monkeypatch.setattr(videogn.data.sampler, "rank", lambda process=process: process)
        sampler = VideoSampler(len(dataset), shuffle=shuffle)
        for batch in DataLoader(dataset, batch_size=3, sampler=sampler, num_workers=2, collate_fn=collate):
            assert not batch.failed
            seen.update((Path(sample.path).name, sample.label) for sample in batch.samples)
    files = read_index(motion / "val")
    assert seen == Counter((Path(record.path).name, record.label) for record in files.records)
    assert set(seen.values()) == {1}


def test_frames_of_a_shard_are_those_of_the_file(motion, motion_shards):
    plan = centre_plan(NetworkInput(clip_length=4, interval=1, short_side=32, crop_size=32))
    files = {Path(record.path).name: record for record in read_index(motion / "val").records}
    packed = read_index(motion_shards)
    for record in list(packed.records)[::5]:
        (ours,), (theirs,) = (VideoDataset([each], plan)[0] for each in (record, files[Path(record.path).name]))
        assert ours.error is theirs.error is None
        assert ours.frames.equal(theirs.frames)
        assert ours.label == theirs.label


# Places of members


LONG = {
    "s/a.mp4": b"first",
    f"s/{'x' * 120}.mp4": b"long",
    "s/é.mp4": b"accent",
    f"s/{'é' * 80}.mp4": b"long accents",
    f"{'d/' * 70}s/b.mp4": b"deep",
}


@pytest.fixture
def no_tables(monkeypatch):
    """Call it, and from then on a shard's table of members is not to be read."""

    def forbid() -> None:
        monkeypatch.setattr(videogn.video.storage, "_members", lambda *stamp: pytest.fail("the shard's table is read"))

    return forbid


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_read_where_they_were_listed(tmp_path, no_tables, form):
    members = {"s/a.mp4": b"first", "s/b.mp4": b"second"} if form == tarfile.USTAR_FORMAT else LONG
    records = read_index(pack(tmp_path / "x.tar", members, form)).records
    no_tables()
    for kept in (records, pickle.loads(pickle.dumps(records)), records.take([*range(len(records))]), list(records)):
        assert [read_source(record.path) for record in kept] == list(members.values())
    path = pickle.loads(pickle.dumps(records[0].path))
    assert (path, path.start, path.length) == (str(records[0].path), records[0].path.start, 5)
    assert read_source(path) == b"first"


def test_a_place_that_is_out_of_date_is_not_believed(tmp_path):
    old = {"s/a.mp4": b"first", "s/b.mp4": b"second", "s/c.mp4": b"third"}
    records = read_index(pack(tmp_path / "x.tar", old)).records
    for new in (
        {"s/b.mp4": b"SECOND", "s/c.mp4": b"THIRD", "s/a.mp4": b"FIRST"},
        {"s/a.mp4": b"other size", "s/b.mp4": b"x" * 5000, "s/c.mp4": b"third"},
        {"s/d.mp4": b"first", "s/c.mp4": b"1", "s/b.mp4": b"2", "s/a.mp4": b"3"},
    ):
        pack(tmp_path / "x.tar", new)
        assert [read_source(record.path) for record in records] == [new[name] for name in old]


def test_a_parquet_index_keeps_the_places(tmp_path, no_tables):
    records = read_index(pack(tmp_path / "x.tar", LONG)).records
    columns = {
        "path": records.table["path"],
        "label": ["s"] * len(records),
        "start": records.table["start"],
        "bytes": records.table["length"],
    }
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    no_tables()
    assert [read_source(record.path) for record in read_index(tmp_path / "i.parquet").records] == list(LONG.values())


def test_labels_in_json_are_numbers_or_names_as_written(tmp_path):
    members = {"a.mp4": "v", "a.json": json.dumps({"label": "10"}), "b.mp4": "v", "b.json": json.dumps({"label": 2})}
    index = read_index(pack(tmp_path / "x.tar", members))
    assert [record.label for record in index.records] == [10, 2]
