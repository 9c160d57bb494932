"""Results of a test as they come: what a collection gives back, of several processes, and in how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet
import pytest
import torch
from full_disk import files_of_at_most
from torch import distributed

from videogn.axes import Sample
from videogn.evaluation import ResultCollection, VideoResult, score_video, write_results

CLASSES = [f"class {number}" for number in range(12)]


def _results(positions, *, classes=12, clips=3, keep_clips=True):
    """A result that depends on the position only; one in seven failed."""
    for position in positions:
        if position % 7 == 5:
            yield VideoResult(position, f"v/{position}.mp4", position % classes, error="file is empty", decoded=False)
            continue
        rows = torch.rand(clips, classes, generator=torch.Generator().manual_seed(position)).softmax(dim=1)
        label = position % classes
        sample = Sample(position, f"v/{position}.mp4", label, starts=tuple(range(0, 7 * clips, 7)))
        yield score_video(sample, rows, keep_clips=keep_clips)


def _collected(results):
    collection = ResultCollection()
    for result in results:
        collection.add(result)
    return collection


def test_results_come_back_in_index_order_as_often_as_asked():
    positions = [7, 2, 600, 3, 0, 5]
    collection = _collected(_results(positions))
    wanted = list(_results(sorted(positions)))
    for _ in range(2):
        found = list(collection)
        assert found == wanted
        for result, other in zip(found, wanted, strict=True):
            assert (result.clips is None) == (other.clips is None)
            assert result.clips is None or (result.clips == other.clips).all()
    collection.add(next(_results([1])))  # also after it was read
    assert [result.position for result in collection] == [0, 1, 2, 3, 5, 7, 600]


def test_blocks_are_bounded_and_complete():
    collection = _collected(VideoResult(position, "a.mp4", 0) for position in range(600))
    blocks = list(collection.blocks())
    assert [len(block) for block in blocks] == [256, 256, 88]
    assert [result.position for block in blocks for result in block] == list(range(600))


def test_an_empty_collection(tmp_path):
    written = write_results(tmp_path, ResultCollection(), classes=CLASSES, expected=0, about={})
    assert written["counts"]["evaluated"] == 0
    assert pyarrow.parquet.read_table(tmp_path / "predictions.parquet").num_rows == 0
    assert not (tmp_path / "clip_probabilities.parquet").exists()


def test_nothing_is_left_of_a_killed_process(tmp_path):
    code = (
        "import os, signal\n"
        "from videogn.evaluation import ResultCollection, VideoResult\n"
        "collection = ResultCollection()\n"
        "collection.add(VideoResult(0, 'a' * 100_000, 0))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    collection = ResultCollection()
    said = rf"kept in {tmp_path} \(File too large.*\); TMPDIR names another folder"
    with files_of_at_most(10_000), pytest.raises(OSError, match=said):
        collection.add(VideoResult(0, "a" * 100_000, 0))


# Several processes.


def _test_in_a_process(rank: int, store: Path, out: Path) -> None:
    """Collect every second result and one of the other process's; note every message."""
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    messages = []

    def noting(name):
        original = getattr(distributed, name)

        def call(objects, *arguments, **options):
            done = original(objects, *arguments, **options)
            messages.append([name, 0 if objects[0] is None else len(objects[0])])
            return done

        return call

    def refused(*_, **__):
        raise AssertionError("results went through a collective")

    for name in ("all_gather_object", "gather_object", "broadcast_object_list", "all_gather", "broadcast"):
        setattr(distributed, name, refused)
    distributed.send_object_list = noting("send_object_list")
    distributed.recv_object_list = noting("recv_object_list")
    tempfile.tempdir = str(out / str(rank))  # as on two machines
    (out / str(rank)).mkdir()
    collection = _collected(_results([*range(rank, 700, 2), 1 - rank]))
    collection.join()
    if rank == 0:
        write_results(out / "results", collection, classes=CLASSES, expected=700, about={})
    (out / f"messages {rank}.json").write_text(json.dumps(messages))
    distributed.destroy_process_group()


def test_results_of_two_processes_go_to_the_first_in_small_messages(tmp_path):
    """No collective, no shared folder: the second process sends lists of at most 256 results, and receives nothing."""
    arguments = (tmp_path / "store", tmp_path)
    torch.multiprocessing.start_processes(_test_in_a_process, arguments, nprocs=2, start_method="fork")
    alone = tmp_path / "alone"
    write_results(alone, _collected(_results(range(700))), classes=CLASSES, expected=700, about={})
    for name in ("results.json", "predictions.csv"):
        assert (tmp_path / "results" / name).read_bytes() == (alone / name).read_bytes()
    for name in ("predictions.parquet", "clip_probabilities.parquet"):
        found, wanted = (pyarrow.parquet.read_table(folder / name) for folder in (tmp_path / "results", alone))
        assert found.equals(wanted)
    lengths = [256, 95, 0]  # 350 of its own and one that both have; then the end
    for rank, name in enumerate(["recv_object_list", "send_object_list"]):
        messages = json.loads((tmp_path / f"messages {rank}.json").read_text())
        assert messages == [[name, length] for length in lengths]


# Memory.

_MANY = """
import json, resource, sys
import numpy as np
from videogn.evaluation import ResultCollection, VideoResult, write_results
out, videos = sys.argv[1], int(sys.argv[2])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng = np.random.default_rng(0)
base = rng.random((10, 400), dtype=np.float32)
def fill_and_write(count):
    collection = ResultCollection()
    for position in rng.permutation(count).tolist():
        clips = np.roll(base, position)
        top = tuple((number, 0.5) for number in range(5))
        collection.add(VideoResult(
            position, f"videos/{position}.mp4", position % 400, top, (True,) * 10, tuple(range(10)), clips=clips))
    return write_results(out, collection, classes=[f"class {k}" for k in range(400)], expected=count, about={})
fill_and_write(600)
before = peak()
summary = fill_and_write(videos)
print(json.dumps({"kib": peak() - before, "videos": summary["over_all"]["videos"]}))
"""


@pytest.mark.slow
def test_memory_is_flat_over_a_test_of_the_size_of_kinetics(tmp_path):
    """20,000 videos, 10 clips, 400 classes: 320 MB of probabilities, of which at most a tenth is in memory."""
    command = [sys.executable, "-c", _MANY, str(tmp_path), "20000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["videos"] == 20_000
    assert found["kib"] < 32 * 1024
    table = pyarrow.parquet.ParquetFile(tmp_path / "clip_probabilities.parquet")
    assert table.metadata.num_rows == 20_000
    assert table.read_row_group(0, ["path"]).column(0)[1].as_py() == "videos/1.mp4"
