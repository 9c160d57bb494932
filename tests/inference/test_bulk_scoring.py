"""Rows in parts: killed and continued, changed files, failures, and what else is refused or replaced."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from full_disk import files_of_at_most

from videogn.axes import VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.stored_paths import opened_path
from videogn.inference.bulk import parts as parts_module
from videogn.inference.bulk.formats import TEXTS, write_parquet
from videogn.inference.bulk.identity import identity, source_hash
from videogn.inference.bulk.parts import FileState, opened_parts, parts_folder
from videogn.inference.bulk.rows import row_of
from videogn.inference.bulk.scoring import Scoring
from videogn.inference.prediction import Prediction

WHAT = {"checkpoint": "sha256 12", "num_clips": 10}


def predicted(videos):
    """As a network would: the score is in the file, and a file with a letter fails."""
    for video in videos:
        text = Path(video.path).read_text() if os.path.exists(video.path) else "missing"
        good = text.isdigit()
        yield Prediction(video.name, (("run", int(text) / 1000),) if good else (), None if good else f"it says {text}")


@pytest.fixture
def videos(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_ROWS", 7)
    odd = [b"with blank", b"new\nline", b"\xff\xfe", "ü".encode(), b"x#t"]
    paths = [os.fsdecode(os.fsencode(tmp_path) + b"/%d " % number + odd[number % 5]) for number in range(40)]
    for number, path in enumerate(paths[:-1]):  # the last one is missing
        with open(path, "w") as file:
            file.write(str(number) if number % 9 else "broken")
    return [VideoRecord(path, None) for path in paths]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "scores.jsonl"


def score(videos, output, *, about=WHAT, stop_after=None, **options):
    """One run; returns the rows, and the paths that were scored."""
    with opened_parts(output, about, overwrite=options.pop("overwrite", False)) as parts:
        scoring = Scoring(videos, parts, row_of, **options)
        scored = [prediction.path for prediction in islice(scoring.run(predicted), stop_after)]
        return list(parts.rows()), scored


def test_rows_are_those_of_the_videos_in_order(videos, output):
    rows, scored = score(videos, output)
    assert scored == [video.name for video in videos] == [opened_path(row["path"]) for row in rows]
    assert rows[1]["predictions"] == [{"label": "run", "score": 0.001}]
    assert rows[0] == {"path": rows[0]["path"], "error": "it says broken"}
    for row in rows:
        assert row.keys() in ({"path", "predictions"}, {"path", "error"})
        row["path"].encode()  # whatever the bytes of the name


def test_a_run_that_is_killed_anywhere_goes_on(videos, output, tmp_path):
    """A kill may leave half a line; nothing that was whole is scored again."""
    expected, _ = score(videos, tmp_path / "other.jsonl")
    draw, done = random.Random(0), []
    while len(done) < len(videos):
        _, scored = score(videos, output, stop_after=draw.randint(1, 9))
        done += scored
        with open(parts_folder(output) / "unfinished.jsonl", "ab") as file:
            file.write(b'{"path": "half a li')
    rows, scored = score(videos, output)
    assert scored == []
    assert done == [video.name for video in videos]
    assert rows == expected
    lines = [len(path.read_text().splitlines()) for path in sorted(parts_folder(output).glob("part-*"))]
    assert lines == [7] * 5


def test_a_full_disk_loses_no_row_before(videos, output, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            super().write(data[:10])
            raise OSError(28, "No space left on device")

    with opened_parts(output, WHAT) as parts:
        scoring = Scoring(videos, parts, row_of).run(predicted)
        list(islice(scoring, 10))
        monkeypatch.setattr(parts, "_file", Full(parts.folder / "unfinished.jsonl", "ab+"))
        with pytest.raises(OSError, match=r"scores\.jsonl\.parts cannot be written \(No space left on device"):
            next(scoring)
    rows, scored = score(videos, output)
    assert len(scored) == len(videos) - 10
    assert len(rows) == len(videos)


@pytest.mark.parametrize("line", [b'\0"path": 1}', b"[1]", b'{"path": 3}', b'{"bytes": 1}'])
def test_damaged_lines_are_scored_again(videos, output, line):
    score(videos, output)
    part = parts_folder(output) / "part-000001.jsonl"
    part.write_bytes(line + b"\n" + part.read_bytes().split(b"\n", 1)[1])
    rows, scored = score(videos, output)
    assert scored == [videos[7].name]
    assert len(rows) == len(videos)


def test_changed_new_and_missing_files_are_scored_again(videos, output):
    score(videos[:20], output)
    with open(videos[3].path, "w") as file:
        file.write("999")
    os.utime(videos[5].path, ns=(1, 1))
    os.remove(videos[7].path)
    rows, scored = score([*videos[:22], videos[-1]], output)
    assert scored == [videos[number].name for number in (3, 5, 7, 20, 21, -1)]
    assert rows[3]["predictions"][0]["score"] == 0.999
    assert rows[7]["error"] == rows[-1]["error"] == "it says missing"
    with open(videos[-1].path, "w") as file:
        file.write("1")
    assert score([videos[-1]], output)[1] == [videos[-1].name]


def test_failures_are_rows_and_tried_again_when_asked(videos, output):
    score(videos, output)
    assert score(videos, output)[1] == []
    failed = [video.name for number, video in enumerate(videos) if number % 9 == 0 or number == 39]
    assert score(videos, output, retry_failed=True)[1] == failed


def test_a_video_has_one_row_and_those_of_other_commands_are_kept(videos, output):
    twice = [*videos[:5], *videos[2:7]]
    rows, scored = score(twice, output)
    assert scored == [video.name for video in videos[:7]]
    rows, scored = score(videos[6:4:-1], output)
    assert scored == []
    assert [opened_path(row["path"]) for row in rows] == [videos[6].name, videos[5].name]


def test_videos_that_an_index_calls_unusable(videos, output):
    """They are not looked for on every run, and scored once the index says otherwise."""
    unusable = VideoRecord(videos[1].path, None, error="corrupt: cut")
    assert score([unusable], output)[1] == score([videos[1]], output)[1]
    assert score([videos[1]], output)[1] == []


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({**WHAT, "num_clips": 3}, "was begun with num_clips 10, now 3: name another --output, or .* --overwrite"),
        ({**WHAT, "checkpoint": "sha256 98"}, "was begun with checkpoint sha256 12, now sha256 98"),
        ({**WHAT, "timeline": 0.5}, "was begun with timeline none, now 0.5"),
        ({"checkpoint": WHAT["checkpoint"]}, "was begun with num_clips 10, now none"),
    ],
)
def test_scores_of_something_else_are_refused(videos, output, about, message):
    rows, _ = score(videos, output)
    with pytest.raises(ValueError, match=message):
        score(videos, output, about=about)
    assert score(videos, output) == (rows, [])
    assert len(score(videos, output, about=about, overwrite=True)[1]) == len(videos)
    assert score(videos, output, about={**about, "at its default": None})[1] == []


@pytest.mark.parametrize("text", ["", "[1]", '{"a"'])
def test_a_damaged_description_of_the_rows_is_named(videos, output, text):
    score(videos, output)
    (parts_folder(output) / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json"):
        score(videos, output)


def test_one_writer_at_a_time(videos, output):
    with opened_parts(output, WHAT), pytest.raises(ValueError, match=r"another videogn is writing .*scores\.jsonl"):
        score(videos, output)
    assert len(score(videos, output)[0]) == len(videos)


def test_orphans_are_removed_and_other_files_are_not(output):
    left = [output.with_name(".scores.0a1b2c3d.partial.jsonl"), parts_folder(output) / ".run.0a1b2c3d.partial.json"]
    other = parts_folder(output) / "mine.txt"
    other.parent.mkdir()
    for path in (*left, other):
        path.touch()
    with opened_parts(output, WHAT, overwrite=True):
        assert not any(path.exists() for path in left)
    assert other.exists()


def test_rows_are_found_by_their_first_byte(output):
    """Rows of any length, in parts and in the unfinished one."""
    draw = random.Random(0)
    rows = [{"path": f"{number}", "error": "ä" * draw.randint(0, 300)} for number in range(600)]
    with opened_parts(output, WHAT) as parts:
        for number, row in enumerate(rows):
            parts.expect(row["path"], len(rows) - number)
            parts.add(row, FileState(number, None))
        assert list(parts.rows()) == rows[::-1]
        assert parts.counts() == (600, 600)
        assert parts.known("17") == (FileState(17, None), True, True)
        assert parts.known("none") == (FileState(None, None), None, False)


# --- formats


ROWS = [
    {"path": 'a "b",\nc.mp4', "predictions": [{"label": "höhe", "score": 0.75}, {"label": "b", "score": 0.25}]},
    {"path": "file:///%FF.mp4", "error": "file is empty"},
]


def test_text_formats_read_back():
    texts = {name: "".join(text(ROWS)) for name, text in TEXTS.items()}
    assert [json.loads(line) for line in texts["jsonl"].splitlines()] == json.loads(texts["json"]) == ROWS
    lines = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [(line["path"], line["rank"], line["label"], line["score"], line["error"]) for line in lines] == [
        (ROWS[0]["path"], "1", "höhe", "0.75", ""),
        (ROWS[0]["path"], "2", "b", "0.25", ""),
        (ROWS[1]["path"], "", "", "", "file is empty"),
    ]
    assert json.loads("".join(TEXTS["json"]([]))) == []


def test_parquet_reads_back(tmp_path):
    with open(tmp_path / "a.parquet", "wb") as file:
        write_parquet(iter(ROWS), file)
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    columns = ("path", "predictions", "error", "truncated", "clips")
    assert rows == [dict.fromkeys(columns) | row for row in ROWS]


# --- what scores are scores of


def test_identity_of_a_source(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"weights")
    (tmp_path / "b.ckpt").write_bytes(b"weights")
    (tmp_path / "hub" / "deep").mkdir(parents=True)
    (tmp_path / "hub" / "deep" / "model").write_bytes(b"weights")
    a, b, folder = (source_hash(str(tmp_path / name)) for name in ("a.ckpt", "b.ckpt", "hub"))
    assert a == b == source_hash(f"nonlocal:{tmp_path / 'a.ckpt'}") != folder
    (tmp_path / "hub" / "deep" / "model").write_bytes(b"weights!")
    assert source_hash(str(tmp_path / "hub")) != folder
    assert source_hash("zoo:x3d_s") == "zoo:x3d_s"


def test_identity_is_as_json_has_it(tmp_path):
    views, how = EvaluationViews(mean=(0, 0, 0)), {"decoder": "auto", "frame_rate": 25.0, "top_k": 5}
    about = identity("zoo:x3d_s", views, state=(), **how)
    assert json.loads(json.dumps(about)) == about
    assert about["num_clips"] == 10


def test_a_row_that_does_not_fit_is_an_error_and_scored_again(tmp_path, videos, output):
    """A write that reaches the end of the room writes a part of the line; only the next one fails."""
    with opened_parts(output, WHAT) as parts:
        parts.add({"path": "a", "predictions": []}, FileState(1, 1))
        kept = (parts.folder / "unfinished.jsonl").stat().st_size
        with files_of_at_most(kept + 20), pytest.raises(OSError, match="every row before is kept there"):
            parts.add({"path": "b", "predictions": []}, FileState(1, 1))
    with opened_parts(output, WHAT) as parts:
        assert parts.known("a").failed is False
        assert parts.known("b").failed is None
