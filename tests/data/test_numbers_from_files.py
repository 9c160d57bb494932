"""Numbers in lists, indexes and shards are numbers, not sizes: one line names the file and the place."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.checks import read_json
from videogn.data.shards import find_shards
from videogn.data.sources import read_index
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import MemberPath, read_source

DIGITS = "9" * 5000


def _lines(*labels):
    return "".join(f"v{number}.mp4 {label}\n" for number, label in enumerate(labels))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", _lines(0, 1, 1530000000), "line 3: label 1530000000; a class has a number from 0 on"),
        ("a.txt", _lines(0, 1, 999999), "line 3: label 999999; a class has"),
        ("a.txt", _lines(0, 1, DIGITS), "line 3: label 9999999999999999999999999999999999999999; a class"),
        ("a.txt", _lines(0) + "x" * 1_000_000, "line 2: 1,000,000 letters; a line of a list is about one video"),
        ("a.csv", "path,label\n" + '"' + "x" * 200_000 + '",1\n', "line 2: 200,004 letters"),
        ("a.txt", "a.mp4 0\nb\0.mp4 1\n", "line 2: a NUL byte is in no list"),
        ("a.csv", ",".join(f"c{number}" for number in range(5000)) + "\n", "line 1: 5,000 fields"),
        ("a.json", "[" * 100_000, "cannot be read as JSON (nested too deeply)"),
        ("a.json", '[{"vid_name": "a", "label": ' + DIGITS + "}]", "cannot be read as JSON (Exceeds the limit"),
        ("a.json", '[{"vid_name": "a", "label": 0, "start_frame": 0, "end_frame": 1e400}]', "a part from '0' to 'inf'"),
        (
            "a.json",
            '[{"vid_name": "a", "label": 0, "start_frame": 0, "end_frame": 4e18}]',
            "no video has an end so late",
        ),
        ("a.txt", f"a 1 {DIGITS} 0\nb 1 5 0\n", "frames; expected 'dir start total label'"),
        ("a.csv", f"path,label,frames\na.mp4,0,{DIGITS}\n", "line 2: '999"),
    ],
    ids=range(13),
)
def test_a_list(tmp_path, name, text, expected):
    file = tmp_path / name
    file.write_text(text)
    columns = {"frames": "frames"} if "frames\n" in text else None
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape(expected)) as refused:
        read_index(file, columns=columns)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert str(refused.value).startswith(str(file))
    assert len(str(refused.value)) < 6000


def test_sparse_lists_and_large_ones_are_believed(tmp_path):
    """Two classes of ImageNet-21k, and a list that explains its 100,000 classes; numbers like hashes are names."""
    file = tmp_path / "a.txt"
    file.write_text(_lines(3, 21840))
    assert len(read_index(file).classes) == 21841
    file.write_text(_lines(*range(0, 100_000, 10)))
    assert len(read_index(file).classes) == 99_991
    file.write_text(_lines("1" * 30, "2" * 30))
    assert read_index(file).classes == ("1" * 30, "2" * 30)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"frames": [5, 2**62]}, "row 2: frames 4611686018427387904; expected -1 to 1,000,000,000"),
        ({"frames": ["5", "6"]}, "the column 'frames' must be whole numbers, and is string"),
        ({"start_time": [0.0, 1.0], "end_time": [1.0, float("nan")]}, "row 2: end_time nan"),
        ({"start_time": [0.0, 1.0], "end_time": [1.0, float("inf")]}, "row 2: end_time inf"),
        ({"start": [512, -1], "bytes": [5, 5]}, "row 2: start -1"),
        ({"path": [1, 2]}, "the column 'path' must be text, and is int64"),
        ({"label": [["a"], ["b"]]}, "the column 'label' must be text, and is list<"),
        ({"labels": [1, 2]}, "the column 'labels' must be lists of text, and is int64"),
    ],
)
def test_an_index(tmp_path, columns, expected):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"path": ["a", "b"], "label": ["x", "y"]} | columns), file)
    with pytest.raises(ValueError, match=re.escape(expected)) as refused:
        read_index(file)
    assert str(refused.value).startswith(str(file))


def test_an_index_of_more_rows_than_bytes(tmp_path):
    """A hundred million equal rows take some kilobytes in a file, and gigabytes in memory."""
    rows = pa.DictionaryArray.from_arrays(pa.nulls(3_000_000, pa.int32()).fill_null(0), pa.array(["a.mp4"]))
    pq.write_table(pa.table({"path": rows, "label": rows}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet says to have 3,000,000 rows in [\d,]+ bytes"):
        read_index(tmp_path / "a.parquet")


def test_metadata_of_an_index(tmp_path):
    table = pa.table({"path": ["a"], "label": ["x"]})
    pq.write_table(table.replace_schema_metadata({"videogn.index": "[" * 100_000}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet cannot be read as JSON \(nested too deeply\)"):
        read_index(tmp_path / "a.parquet")


def _shard(path, **members):
    with tarfile.open(path, "w") as shard:
        for name, data in members.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    return path


def test_shards(tmp_path):
    shard = _shard(tmp_path / "a.tar", a_mp4=b"video", a_cls=b"0" * (1 << 25))
    with pytest.raises(ValueError, match=r"sample 'a': its \.cls has 33,554,432 bytes, too many for a label"):
        read_index(shard)
    deep = _shard(tmp_path / "b.tar", a_mp4=b"video", a_json=b"[" * 100_000)
    with pytest.raises(ValueError, match=r"sample 'a': its .json cannot be read as JSON \(nested too deeply\)"):
        read_index(deep)
    for pattern in ("s3://x/{0..9999999999}.tar", "s3://x/{0..9999}{0..9999}.tar"):
        with pytest.raises(ValueError, match="stands for more than 1,000,000 shards: has"):
            find_shards(pattern)


def test_a_place_beyond_the_shard(tmp_path):
    """A place in an index is a hint; memory is taken for what is there."""
    shard = _shard(tmp_path / "a.tar", a_mp4=b"video")
    for start, length in ((512, 2**60), (2**60, 5), (512, -5)):
        assert read_source(MemberPath(f"{shard}/a.mp4", start, length)) == b"video"
        with pytest.raises(VideoDecodeError, match="no such member"):
            read_source(MemberPath(f"{shard}/b.mp4", start, length))


def test_json_is_read_as_before(tmp_path):
    content = {"a": [1, 2.5, None, "ü"]}
    assert read_json(json.dumps(content), "x") == content
    with pytest.raises(ValueError, match=r"^x is not JSON \(Expecting value"):
        read_json("", "x")
