"""One root, three readers: training, `data show` and `data index` see the same videos, classes and splits in it."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from videogn.data.data_layout import UNDIVIDED, find_layout
from videogn.data.splits import read_sources, read_splits
from videogn.indexing.building import build_index
from videogn.indexing.file_checks import FileChecks
from videogn.indexing.listing import read_listing
from videogn.video.storage import exists

CHECKS = FileChecks(decode=True, timeout=20.0, workers=1, factory="checkers:PlainChecker")
TRAIN, VAL = ("left/1", "left/2", "right/3"), ("left/4", "right/5")


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ok 20")


def class_folders(root: Path) -> None:
    write(root, *TRAIN, *VAL)


def folders_of_splits(root: Path) -> None:
    write(root / "train", *TRAIN)
    write(root / "validation", *VAL)


def lists(root: Path) -> None:
    write(root, *TRAIN, *VAL)
    for split, names in (("train", TRAIN), ("val", VAL)):
        (root / f"{split}.txt").write_text("".join(f"{name}.mp4 {name.split('/')[0]}\n" for name in names))


def kinetics(root: Path) -> None:
    for split, names in (("train", TRAIN), ("val", VAL)):
        rows = ["label,youtube_id,time_start,time_end,split"]
        rows += [f"{name.split('/')[0]},{name[-1]},0,10,{split}" for name in names]
        (root / f"{split}.csv").write_text("\n".join(rows))
        write(root / split, *names)


def shards(root: Path) -> None:
    for split, names in (("train", TRAIN), ("val", VAL)):
        write(root / "unpacked", *names)
        with tarfile.open(root / f"{split}-0.tar", "w") as shard:
            for name in names:
                shard.add(root / "unpacked" / f"{name}.mp4", f"{name}.mp4")


def folder_of_shards(root: Path) -> None:
    write(root.parent / "unpacked", *TRAIN, *VAL)
    with tarfile.open(root / "all.tar", "w") as shard:
        for name in TRAIN + VAL:
            shard.add(root.parent / "unpacked" / f"{name}.mp4", f"{name}.mp4")


def index_with_splits(root: Path) -> None:
    folders_of_splits(root.parent / "videos")
    build_index(str(root.parent / "videos"), root / "index.parquet", CHECKS)


def index_without_splits(root: Path) -> None:
    class_folders(root.parent / "videos")
    build_index(str(root.parent / "videos"), root / "index.parquet", CHECKS)


def index_beside_its_videos(root: Path) -> None:
    folders_of_splits(root)
    build_index(str(root), root / "index.parquet", CHECKS)


DIVIDED = (folders_of_splits, lists, kinetics, shards, index_with_splits, index_beside_its_videos)
WHOLE = (class_folders, folder_of_shards, index_without_splits)


def rows(index, split=None) -> set[tuple[str, str | None, str | None]]:
    return {(Path(r.path).stem, index.classes[r.label], split) for r in index.records}


@pytest.mark.parametrize("make", [*DIVIDED, *WHOLE])
@pytest.mark.parametrize("relative", [False, True])
def test_a_root_is_the_same_for_all_commands(tmp_path, monkeypatch, make, relative):
    root = tmp_path / "root"
    root.mkdir()
    make(root)
    monkeypatch.chdir(tmp_path)
    given = "root" if relative else str(root)
    divided = make in DIVIDED
    splits = {"train": TRAIN, "val": VAL} if divided else {UNDIVIDED: TRAIN + VAL}
    expected = {(n[-1], n.split("/")[0], split or None) for split, names in splits.items() for n in names}

    shown = read_sources(find_layout(given))
    assert set().union(*(rows(index, split or None) for split, index in shown.items())) == expected
    listed = read_listing(given).table.to_pylist()
    assert {(Path(row["path"]).stem, row["label"], row["split"]) for row in listed} == expected
    trained = read_splits(given, {}, val_fraction=0.5, class_names=None, seed=0)
    for index in (*shown.values(), *trained.values()):  # an index knows of none missing; the disk decides
        assert all(exists(record.path) for record in index.records)
    if divided:
        assert rows(trained["train"], "train") | rows(trained["val"], "val") == expected
    else:
        assert rows(trained["train"]) | rows(trained["val"]) == expected
    assert {index.classes for index in (*shown.values(), *trained.values())} == {("left", "right")}


def test_a_list_as_root_lies_in_its_folder_and_is_divided(tmp_path):
    write(tmp_path, *TRAIN, *VAL)
    (tmp_path / "all.txt").write_text("".join(f"{name}.mp4 {name.split('/')[0]}\n" for name in TRAIN + VAL))
    splits = read_splits(str(tmp_path / "all.txt"), {}, val_fraction=0.5, class_names=None, seed=0)
    assert not splits["train"].missing()
    assert len(splits["train"]) + len(splits["val"]) == 5


def test_an_index_is_made_anew_from_the_folder_that_it_lies_in(tmp_path):
    """New videos are found; the index in the folder counts only where the folder tells less than it."""
    index_beside_its_videos(tmp_path)
    write(tmp_path / "train", "right/9")
    assert build_index(str(tmp_path), tmp_path / "index.parquet", CHECKS).checked == 1
    assert find_layout(tmp_path).kind == "index"
    assert find_layout(tmp_path, anew=True).kind == "splits"

    loose = tmp_path / "loose"
    write(loose, "1", "2")
    (loose / "l.txt").write_text("1.mp4 a\n2.mp4 b\n")
    build_index(str(loose / "l.txt"), loose / "index.parquet", CHECKS)
    assert read_listing(loose).table["label"].to_pylist() == ["a", "b"]


def test_an_index_in_a_folder_that_was_copied_means_the_copies(tmp_path):
    index_beside_its_videos(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    splits = read_splits(str(tmp_path / "b"), {}, val_fraction=0.5, class_names=None, seed=0)
    assert all(record.path.startswith(f"{tmp_path}/b/") for record in splits["train"].records)
    shutil.rmtree(tmp_path / "b" / "train")
    shutil.rmtree(tmp_path / "b" / "validation")
    splits = read_splits(str(tmp_path / "b"), {}, val_fraction=0.5, class_names=None, seed=0)
    assert all(record.path.startswith(f"{tmp_path}/a/") for record in splits["train"].records)


def test_loose_videos_have_no_class(tmp_path):
    write(tmp_path, "1", "2")
    layout = find_layout(tmp_path)
    assert layout.kind == "loose"
    (index,) = read_sources(layout).values()
    assert [record.label for record in index.records] == [None, None]
    with pytest.raises(ValueError, match="lies directly in it"):
        read_splits(str(tmp_path), {}, val_fraction=0.5, class_names=None, seed=0)
