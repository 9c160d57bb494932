"""Parts of videos on their way from a list to clips, to an index and back, to results: always the frames in between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.axes import Segment, VideoRecord
from videogn.data.datamodule import VideoDataModule
from videogn.data.parquet_index import read_parquet
from videogn.data.sources import read_index
from videogn.data.video_index import VideoIndex, split_index
from videogn.indexing.building import build_index
from videogn.indexing.catalogue import read_catalogue
from videogn.indexing.file_checks import FileChecks
from videogn.indexing.index_check import check_index
from videogn.video.encode import write_video

FRAMES, FPS = 60, 10
#: Segment -> first and last frame that lie in it.
PARTS = {
    Segment(2.0, 4.0): (20, 39),
    Segment(0.0, 1.25): (0, 12),
    Segment(5.05, 60.0): (51, 59),
    Segment(12, 48, "frames"): (12, 47),
    Segment(59, 60, "frames"): (59, 59),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos; the brightness of frame n of each is 4 n."""
    folder = tmp_path_factory.mktemp("segments")
    shown = np.repeat(np.arange(FRAMES, dtype=np.uint8) * 4, 24 * 24 * 3).reshape(FRAMES, 24, 24, 3)
    for name in ("one", "two"):
        write_video(folder / f"{name}.mp4", shown, FPS)
    return folder


def write_list(folder: Path, unit: str = "seconds") -> Path:
    parts = [part for part in PARTS if part.unit == unit]
    names = [("one", "two")[number % 2] for number in range(len(parts))]
    lines = [f"{name}.mp4,{name},{part.start:g},{part.end:g}" for name, part in zip(names, parts, strict=True)]
    (folder / f"{unit}.csv").write_text("\n".join(["video,label,from,to", *lines]) + "\n")
    return folder / f"{unit}.csv"


COLUMNS = {
    "seconds": {"start_time": "from", "end_time": "to"},
    "frames": {"start_frame": "from", "end_frame": "to"},
}


def frames_of(samples) -> list[set[int]]:
    """Numbers of the frames of each sample, read from their brightness."""
    return [
        {round(float(frame.float().mean()) / 4) for frame in sample.frames} for sample in samples if not sample.error
    ]


@pytest.mark.parametrize("unit", ["seconds", "frames"])
@pytest.mark.parametrize("loader", ["train", "test"])
def test_clips_come_from_inside_the_part(root: Path, unit: str, loader: str) -> None:
    source = str(write_list(root, unit))
    data = VideoDataModule(
        root=str(root), train=source, test=source, columns=",".join(f"{a}={b}" for a, b in COLUMNS[unit].items()),
        batch_size=1, num_workers=0, time_limit=0, clip_length=4, interval=2, crop_size=16, short_side=16,
        train_short_sides=(16, 16), num_clips=5,
    )  # fmt: skip
    batches = data.training_loader(0) if loader == "train" else data.test_dataloader()
    samples = [sample for batch in batches for sample in (*batch.samples, *batch.failed)]
    parts = {f"#{part.fragment}": span for part, span in PARTS.items() if part.unit == unit}
    assert {f"#{sample.path.partition('#')[2]}" for sample in samples} == set(parts)
    for sample, shown in zip(samples, frames_of(samples), strict=True):
        first, last = parts[f"#{sample.path.partition('#')[2]}"]
        assert first <= min(shown) <= max(shown) <= last


def _build(source: Path, out: Path, **options) -> None:
    checks = FileChecks(decode=True, timeout=60.0, workers=1)
    built = build_index(str(source), out, checks, **options)
    assert built.checked == 2  # each file once, whatever the number of its parts


def test_an_index_holds_the_parts_and_checks_each_file_once(root: Path, tmp_path: Path) -> None:
    source = write_list(root)
    _build(source, tmp_path / "i.parquet", columns=COLUMNS["seconds"])
    listed = read_index(source, columns=COLUMNS["seconds"])
    index = read_parquet(tmp_path / "i.parquet")
    assert [record.segment for record in index.records] == [record.segment for record in listed.records]
    assert {record.frames for record in index.records} == {FRAMES}
    assert index.fingerprint() == listed.fingerprint()
    assert read_parquet(tmp_path / "i.parquet", root=root).fingerprint() == listed.fingerprint()
    assert check_index(tmp_path / "i.parquet", timeout=60.0, workers=1).differences == []


def test_a_file_that_changed_is_named_once(root: Path, tmp_path: Path) -> None:
    (tmp_path / "one.mp4").write_bytes((root / "one.mp4").read_bytes())
    (tmp_path / "two.mp4").write_bytes((root / "two.mp4").read_bytes())
    source = write_list(tmp_path)
    _build(source, tmp_path / "i.parquet", columns=COLUMNS["seconds"])
    (tmp_path / "one.mp4").unlink()
    found = check_index(tmp_path / "i.parquet", timeout=60.0, workers=1)
    assert [difference.kind for difference in found.differences] == ["gone"]
    assert found.videos == 3


def test_an_index_from_before_there_were_parts(tmp_path: Path) -> None:
    columns = {"path": ["/d/a.mp4"], "label": ["x"], "split": ["train"], "status": ["ok"], "frames": [30]}
    stored = {"version": 1, "root": "/d", "classes": ["x"], "source": "/d", "searched": None, "decode": True}
    stored |= {"timeout": 1.0, "min_frames": 8, "unlisted": None, "summary": {}}
    table = pa.table(columns).replace_schema_metadata({b"videogn.index": json.dumps(stored)})
    pq.write_table(table, tmp_path / "i.parquet")
    assert list(read_parquet(tmp_path / "i.parquet").records) == [VideoRecord("/d/a.mp4", 0, 30)]
    assert read_catalogue(tmp_path / "i.parquet").table["start_time"].null_count == 1


def index_of(*records: VideoRecord) -> VideoIndex:
    classes = tuple(f"c{number}" for number in range(1 + max(record.label or 0 for record in records)))
    return VideoIndex(records, classes, "/d")


def test_the_fingerprint_tells_parts_and_stays_what_it_was_without_them() -> None:
    whole = index_of(VideoRecord("/d/a.mp4", 0), VideoRecord("/d/b.mp4", 1))
    # printf 'a.mp4\tc0\nb.mp4\tc1\n' | sha256sum
    assert whole.fingerprint() == "d2856f40000a21580d1a9978fdcccbc0db98f6ade3026314eb1b109af4bb2df9"
    parts = [
        index_of(VideoRecord("/d/a.mp4", 0, segment=segment), VideoRecord("/d/b.mp4", 1))
        for segment in (None, Segment(0, 1), Segment(0, 2), Segment(0, 2, "frames"))
    ]
    assert parts[0].fingerprint() == whole.fingerprint()
    assert len({index.fingerprint() for index in parts}) == 4


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_of_a_video_lie_on_one_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    records = [
        VideoRecord(f"/d/{video}.mp4", int(label), segment=Segment(start, start + 1))
        for video in range(40)
        for start, label in enumerate(rng.integers(0, 5, 30))
    ]
    train, held = split_index(index_of(*records), 0.25, seed)
    sides = [{record.path for record in index.records} for index in (train, held)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 10
    assert len(train) + len(held) == len(records)
    order = rng.permutation(len(records))
    again = split_index(index_of(*(records[place] for place in order)), 0.25, seed)[1]
    assert {record.path for record in again.records} == sides[1]
