"""videogn bench data: one JSON object, named failures, exit status; nothing here depends on how fast anything is."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import pytest

from videogn.axes import VideoRecord
from videogn.bench.workload import find_records, spread
from videogn.data import records

SMALL = [
    *("--clips", "2", "--clip-length", "4", "--interval", "2", "--short-side", "32", "--repeats", "1"),
    *("--decoders", "auto,pyav", "--videos", "3", "--device", "cpu"),
]
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _measure(videogn, capsys, *arguments):
    assert videogn("bench", "data", *SMALL, "--json", *arguments) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


def test_json(videogn, capsys, motion):
    found, _ = _measure(videogn, capsys, motion, "--workers", "0")
    assert found["videos"] == {"expected": 3, "measured": 3, "failed": []}
    for times in found["decoders"].values():
        assert times["total_s"] == pytest.approx(times["open_s"] + times["decode_s"] + times["resize_s"])
        assert min(times["open_s"], times["decode_s"], times["resize_s"]) >= 0
        assert times["videos_per_s"] == pytest.approx(1 / times["total_s"])
        assert times["frames_per_s"] == pytest.approx(8 * times["videos_per_s"])  # two clips of four frames each
        assert times["bytes"] == 8 * 32 * 32 * 3
        assert times["measured"] == 3
    assert list(found["decoders"]) == ["auto", "pyav"]
    assert [(each["decoder"], each["workers"]) for each in found["throughput"]] == [("auto", 0), ("pyav", 0)]
    assert all(each["frames_per_s"] == pytest.approx(8 * each["videos_per_s"]) for each in found["throughput"])
    assert found["transfer"]["host_to_device_s"] is None
    assert found["settings"]["clips"] == 2
    assert any("--data.num_workers 0" in sentence for sentence in found["suggestions"])


def test_bad_files_are_named_and_do_not_stop_it(videogn, capsys, motion, tmp_path):
    good = sorted(motion.rglob("*.mp4"))[0]
    (tmp_path / "text.mp4").write_bytes(b"no video")
    (tmp_path / "empty.mp4").touch()
    paths = [tmp_path / "text.mp4", good, tmp_path / "empty.mp4", tmp_path / "gone.mp4"]
    found, err = _measure(videogn, capsys, *paths, "--workers", "0", "--videos", "4")
    assert (found["videos"]["expected"], found["videos"]["measured"]) == (4, 1)
    failed = {Path(each["path"]).name: each["reason"] for each in found["videos"]["failed"]}
    assert failed.keys() == {"text.mp4", "empty.mp4", "gone.mp4"}
    assert failed["empty.mp4"] == "file is empty"
    assert all(str(path) in err for path in paths if path != good)


def test_nothing_but_bad_files(videogn, capsys, tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"no video")
    assert videogn("bench", "data", *SMALL, "--json", tmp_path / "text.mp4", tmp_path / "gone.mp4") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "videogn: error: none of the 2 videos can be decoded" in printed.err.splitlines()[-1]


def test_lists_and_tables(videogn, capsys, monkeypatch, motion, tmp_path):
    """A list stands for its videos; the tables have all their headings in a terminal of 80 columns."""
    for name, value in (("COLUMNS", "80"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    videos = sorted(motion.rglob("*.mp4"))[:2]
    (tmp_path / "list.txt").write_text("".join(f"{video.relative_to(motion)}\tname\n" for video in videos))
    options = ["--workers", "0", "--root", motion]
    assert videogn("bench", "data", *SMALL, *options, "--mode", "train", tmp_path / "list.txt") == 0
    printed = capsys.readouterr().out
    assert "2 of 2 videos" in printed
    assert "Milliseconds a video" in printed
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "decoder open decode resize in all videos/s frames/s failed" in lines
    assert "workers auto pyav" in lines
    assert "--data.num_workers 0" in printed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--workers", "0,x"], "--workers takes numbers separated by commas, such as 0,1,2, got '0,x'"),
        (["--decoders", "pyav,pyaw"], "did you mean 'pyav'?"),
        (["--videos", "0"], "--videos must be > 0, got 0"),
        (["--mode", "tets"], "--mode must be one of test, train, got 'tets'; did you mean 'test'?"),
        (["--device", "tpu9"], "device 'tpu9' cannot be used here"),
        (["--clip-length", "0"], "clip_length must be > 0, got 0"),
        (["--short-side", "0"], "short_side must be > 0, got 0"),
        (["--short-side", "0", "--mode", "train"], "short_side must be > 0, got 0"),
        (["--time-limit", "3e6"], "the time limit of a video must be between 0 and 1000000 seconds, got 3e+06"),
    ],
)
def test_wrong_options(videogn, capsys, motion, options, expected):
    assert videogn("bench", "data", *SMALL, *options, motion) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("videogn: error: ")
    assert expected in line


def test_which_videos(motion, tmp_path, monkeypatch):
    """Each once, in order; of those not measured no object is made."""
    videos = [str(path) for path in sorted(motion.rglob("*.mp4"))]
    (tmp_path / "list.txt").write_text("".join(f"{path} 0\n" for path in [videos[3], *videos[:2]]))
    made = []
    monkeypatch.setattr(records, "VideoRecord", lambda *values: made.append(values) or VideoRecord(*values))
    found = find_records([videos[1], str(tmp_path / "list.txt"), str(motion), "gone.mp4"])
    chosen = [record.path for record in spread(found, 3)]
    assert len(made) == 3
    assert found.table["path"].to_pylist() == [videos[1], videos[3], videos[0], videos[2], *videos[4:], "gone.mp4"]
    assert chosen == [found[len(found) * place // 3].path for place in range(3)]


def test_a_wrong_action(videogn, capsys):
    assert videogn("bench", "dat") == 2
    assert "did you mean 'data'?" in capsys.readouterr().err


@pytest.mark.slow
def test_workers(videogn, capsys, motion):
    found, _ = _measure(videogn, capsys, motion, "--workers", "0,1,2")
    assert [each["workers"] for each in found["throughput"]] == [0, 1, 2] * 2
    assert found["transfer"]["bytes"] == 8 * 32 * 32 * 3


def _script(monkeypatch, name, *arguments):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(BENCHMARKS / name), run_name="__main__")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the system does not tell a process's memory")
def test_a_workers_memory(monkeypatch, capfd, motion):
    _script(monkeypatch, "worker_memory.py", *sorted(motion.rglob("*.mp4"))[:3], "--videos", 24, "--json")
    found = json.loads(capfd.readouterr().out)
    assert found.keys() == {"in the worker", "guarded"}
    for growth in found.values():
        assert growth["end_bytes"] > 20e6
        # A training clip of these is 13 MB: what grows with the videos would show.
        assert abs(growth["slope_bytes"]) < 4e9
    assert found["guarded"]["end_bytes"] > found["in the worker"]["end_bytes"]


@pytest.mark.slow
def test_the_cost_of_the_guard(monkeypatch, capsys, motion):
    _script(monkeypatch, "guard_cost.py", next(motion.rglob("*.mp4")), "--repeats", 1)
    printed = capsys.readouterr().out
    assert "training clip" in printed
    assert "ten-clip test" in printed


@pytest.mark.slow
def test_the_comparison_with_other_libraries_runs(monkeypatch, capsys):
    _script(monkeypatch, "decoding.py", "--quick", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert {row["section"].split(":")[0] for row in rows} == {"340x256, GOP 12", "720p"}
    assert all(row["milliseconds"] > 0 for row in rows)
    assert any(row["target"] is not None and row["reached"] in (True, False) for row in rows)


def test_prediction_alone_and_together(videogn, capsys, trained, motion, tmp_path):
    """One object of rates, all of them positive, and the videos that failed."""
    (tmp_path / "empty.mp4").touch()
    checkpoint = trained / "checkpoints" / "last.ckpt"
    options = ("--checkpoint", checkpoint, "--clips=1", "--workers=0,1", "--videos=3", "--repeats=1", "--time-limit=0")
    videos = [*sorted(motion.glob("val/expand/*.mp4"))[:2], tmp_path / "empty.mp4"]
    assert videogn("bench", "predict", *options, "--json", *videos) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["expected"] == 3
    assert report["failed"] == [{"path": str(tmp_path / "empty.mp4"), "reason": "file is empty"}]
    assert "empty.mp4: file is empty" in printed.err
    assert [rate["workers"] for rate in report["rates"]] == [0, 1]
    for rate in report["rates"]:
        assert min(rate["decoding"], report["network"], rate["both"], rate["share"]) > 0
    assert report["settings"]["precision"] in ("32", "bf16")
    assert videogn("bench", "predict", *options, *videos[2:]) == 2
    assert "empty.mp4: file is empty" in capsys.readouterr().err
