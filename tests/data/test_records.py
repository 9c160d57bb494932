"""Records against the plain tuple of objects that they stand for; and that nothing is copied into other processes."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from torch.utils.data import DataLoader

from videogn.axes import Segment, VideoRecord
from videogn.data.records import SCHEMA, Records


def made(count: int, seed: int = 0) -> list[VideoRecord]:
    rng = random.Random(seed)
    return [
        VideoRecord(
            f"/data/é/{number:07d}.mp4",
            rng.choice([None, 0, 1, 399]),
            rng.choice([None, 1, 300]),
            rng.choice([None, None, "missing", "corrupt: no frame"]),
        )
        for number in range(count)
    ]


def table_file(records: Records) -> str:
    """The file that pickling these records refers to."""
    _, (file,) = records.__reduce__()
    return file


@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_is_the_sequence_that_it_was_made_of(count):
    rows = made(count)
    records = Records.of(rows)
    assert len(records) == count
    assert list(records) == rows
    assert [records[number] for number in range(count)] == rows
    assert [records[number - count] for number in range(count)] == rows
    assert records == rows
    assert records == tuple(rows)
    assert records == Records.of(rows)
    assert list(reversed(records)) == rows[::-1]
    assert Records.of(records) is records


def test_differs_from_others():
    rows = made(10)
    assert Records.of(rows) != rows[:9]
    assert Records.of(rows) != rows[::-1]
    assert Records.of(rows) != Records.of(rows[::-1])
    assert Records.of(rows) != 10


@pytest.mark.parametrize("number", [10, -11, 2**40])
def test_a_number_out_of_range(number):
    with pytest.raises(IndexError, match=f"record {number} of 10"):
        Records.of(made(10))[number]


def test_numpys_and_torchs_integers_are_numbers():
    import torch

    rows = made(10)
    assert Records.of(rows)[np.int64(3)] == Records.of(rows)[torch.tensor(3)] == rows[3]
    with pytest.raises(TypeError):
        Records.of(rows)[1.0]


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(2, 7), slice(0), slice(-3, None), slice(None, None, 4)])
def test_slices(rows):
    assert Records.of(made(10))[rows] == made(10)[rows]


def test_take():
    rows = made(10)
    records = Records.of(rows)
    assert records.take([3, 1, 3]) == [rows[3], rows[1], rows[3]]
    assert records.take(np.array([9, 0])) == [rows[9], rows[0]]
    assert records.take([]) == []
    mask = np.arange(10) % 3 == 0
    for chosen in (mask, mask.tolist(), pa.array(mask)):
        assert records.take(chosen) == rows[::3]
    assert records.take([True] * 10) is records


def test_the_table_has_one_chunk_and_the_stated_types():
    part = pa.table({"path": ["a", "b"], "label": pa.array([1, None], pa.int64()), "more": [1, 2]})
    records = Records(pa.concat_tables([part, part]))
    assert records.table.schema == SCHEMA
    assert {column.num_chunks for column in records.table.columns} == {1}
    assert records == [VideoRecord("a", 1), VideoRecord("b", None)] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="file names are Unicode there")
def test_names_that_are_not_utf8_come_back():
    rows = [VideoRecord(os.fsdecode(b"/data/\xff 100%.mp4"), 0), VideoRecord("/data/100%25.mp4", 1)]
    records = Records.of(rows)
    assert records == rows
    assert pickle.loads(pickle.dumps(records)) == rows


# Other processes


def test_pickling_passes_the_name_of_a_file_on():
    small, large = Records.of(made(10)), Records.of(made(100_000))
    assert abs(len(pickle.dumps(large)) - len(pickle.dumps(small))) < 100
    assert len(pickle.dumps(large)) < 1000
    assert table_file(large) == table_file(large)  # written once
    again = pickle.loads(pickle.dumps(large))
    assert again == large
    assert table_file(again) == table_file(large)  # passed on, not written anew
    assert copy.deepcopy(large) is large


def test_what_is_unpickled_or_mapped_holds_no_memory_of_its_own():
    records = Records.of(made(50_000))
    data = pickle.dumps(records)
    before = pa.total_allocated_bytes()
    again = pickle.loads(data)
    mapped = records.mapped()
    assert again[49_999] == mapped[49_999] == records[49_999]
    assert pa.total_allocated_bytes() - before < 10_000
    assert records.table.nbytes > 1_000_000


def test_an_unpickled_subset_is_a_file_of_its_own():
    records = Records.of(made(100))
    subset = pickle.loads(pickle.dumps(records)).take(np.arange(0, 100, 2))
    assert pickle.loads(pickle.dumps(subset)) == made(100)[::2]
    assert table_file(subset) != table_file(records)


def test_the_file_goes_with_the_records_that_wrote_it():
    records = Records.of(made(10))
    mapped = records.mapped()
    file = Path(table_file(records))
    del records
    gc.collect()
    assert file.exists()
    assert pickle.loads(pickle.dumps(mapped)) == made(10)
    del mapped
    gc.collect()
    assert not file.exists()


def test_the_file_goes_when_the_process_ends(tmp_path):
    code = (
        "import pickle; from videogn.axes import VideoRecord; from videogn.data.records import Records;"
        "kept = Records.of([VideoRecord('a', 0)]); pickle.dumps(kept); print(kept.__reduce__()[1][0])"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


class Rows:
    """A data set that hands records out."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> VideoRecord:
        return self.records[number]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_see_the_same_rows_and_leave_the_file(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    records = Records.of(made(20))
    loader = DataLoader(Rows(records), batch_size=5, num_workers=1, multiprocessing_context=method, collate_fn=list)
    assert [row for batch in loader for row in batch] == made(20)
    assert pickle.loads(pickle.dumps(records)) == made(20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_that_drops_the_records_and_exits_leaves_the_file():
    code = (
        "import os, pickle, sys; from videogn.axes import VideoRecord; from videogn.data.records import Records\n"
        "records = Records.of([VideoRecord('a', 0)]); file = records.__reduce__()[1][0]; child = os.fork()\n"
        "if not child: del records; sys.exit(7)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]); print(status, os.path.exists(file))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7", "True"]


@pytest.mark.skipif(os.name != "posix", reason="no signals here")
def test_the_file_of_a_killed_process_goes_with_the_next_one(tmp_path):
    """That of a process that lives stays."""
    code = (
        "import pickle, signal; from videogn.axes import VideoRecord; from videogn.data.records import Records;"
        "kept = Records.of([VideoRecord('a', 0)]); pickle.dumps(kept); print(kept.__reduce__()[1][0], flush=True);"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def start(then):
        command = [sys.executable, "-c", code + then]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        return process, Path(process.stdout.readline().strip())

    killed, left = start("signal.pause()")
    living, used = start("signal.pause()")
    assert left.exists()
    killed.kill()
    killed.wait()
    assert left.exists()
    ended, own = start("")
    ended.wait()
    assert not left.exists()
    assert used.exists()
    assert not own.exists()
    living.kill()
    living.wait()


SEGMENTS = [None, Segment(5.4, 11.6), Segment(12, 48, "frames"), Segment(0, 0.25)]


def test_segments_are_columns(tmp_path):
    """Of their unit: times are float64 seconds, frames int64; both null for a whole video."""
    rows = [VideoRecord("a.mp4", 1, segment=segment) for segment in SEGMENTS]
    records = Records.of(rows)
    assert list(records) == rows
    assert [records[number] for number in range(4)] == rows
    assert pickle.loads(pickle.dumps(records)) == rows
    assert records.take([2, 0]) == [rows[2], rows[0]]
    assert {name: records.table[name].to_pylist() for name in SCHEMA.names[-4:]} == {
        "start_time": [None, 5.4, None, 0.0],
        "end_time": [None, 11.6, None, 0.25],
        "start_frame": [None, None, 12, None],
        "end_frame": [None, None, 48, None],
    }
    assert Records.of_columns(["a.mp4"] * 4, [1] * 4, segments=SEGMENTS) == records


def test_the_name_of_a_segment_is_the_path_with_a_media_fragment():
    names = [VideoRecord("a b.mp4", None, segment=segment).name for segment in SEGMENTS]
    assert names == ["a b.mp4", "a b.mp4#t=5.4,11.6", "a b.mp4#frames=12,48", "a b.mp4#t=0,0.25"]
