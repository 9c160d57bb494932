"""The Parquet index: what it lists, what it finds, how it goes on, and what it never does."""

from __future__ import annotations

import json
import os
import tarfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.cli.data import show
from videogn.data.sources import read_index
from videogn.data.stored_paths import opened_path, path_array, stored_path
from videogn.indexing.building import build_index
from videogn.indexing.catalogue import read_catalogue
from videogn.indexing.file_checks import FileChecks
from videogn.indexing.index_check import Difference, check_index
from videogn.indexing.listing import read_listing
from videogn.system.journal import Journal, read_journal

PLAIN = "checkers:PlainChecker"
LIMIT = 20.0


def _checks(**options) -> FileChecks:
    return FileChecks(**{"decode": True, "timeout": LIMIT, "workers": 2, "factory": PLAIN, **options})


def _write(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / f"{name}.mp4").write_text(text)


def _rows(out: Path) -> dict[str, dict]:
    return {Path(opened_path(row["path"])).name: row for row in read_catalogue(out).table.to_pylist()}


def _statuses(out: Path) -> dict[str, str]:
    return {name.removesuffix(".mp4"): row["status"] for name, row in _rows(out).items()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes; eleven files, of which one of every kind."""
    _write(tmp_path / "set" / "run", a="ok 30", b="ok 7", c="truncated 12", d="not a video", e="")
    _write(tmp_path / "set" / "sit down", f="ok 8", g="ok 300", h="crash")
    return tmp_path / "set"


def test_every_status_and_the_summary(source, tmp_path):
    out = tmp_path / "i.parquet"
    built = build_index(str(source), out, _checks())
    assert _statuses(out) == {
        "a": "ok", "b": "short", "c": "truncated", "d": "corrupt", "e": "empty", "f": "ok", "g": "ok", "h": "corrupt"
    }  # fmt: skip
    rows = _rows(out)
    assert rows["h.mp4"]["reason"] == "crashed the decoder (SIGSEGV)"
    assert rows["c.mp4"]["frames"] == 12
    assert rows["a.mp4"]["reason"] is None
    assert rows["d.mp4"]["frames"] is None
    assert rows["a.mp4"]["bytes"] == 5
    assert built.checked == 7
    facts = built.catalogue.facts
    assert facts.classes == ("run", "sit down")
    assert facts.summary == {
        "videos": 8,
        "unlisted": 0,
        "status": {"ok": 3, "short": 1, "slow": 0, "truncated": 1, "corrupt": 2, "empty": 1, "missing": 0},
        "classes": {
            "run": {"corrupt": 1, "empty": 1, "ok": 1, "short": 1, "truncated": 1},
            "sit down": {"corrupt": 1, "ok": 2},
        },
        "splits": {},
    }
    assert not Path(f"{out}.journal").exists()


def test_the_columns_and_the_metadata(source, tmp_path):
    build_index(str(source), tmp_path / "i.parquet", _checks())
    schema = pq.read_schema(tmp_path / "i.parquet")
    columns = (
        "path label split frames fps duration width height rotation codec bytes status reason note mtime_ns sha256"
    )
    others = ["survey", "start", "start_time", "end_time", "start_frame", "end_frame", "labels"]
    assert schema.names == [*columns.split(), *others]
    facts = json.loads(schema.metadata[b"videogn.index"])
    assert (facts["version"], facts["root"], facts["min_frames"]) == (1, str(source), 8)


def test_a_second_run_opens_only_what_changed(source, tmp_path):
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    assert build_index(str(source), out, _checks()).checked == 0
    os.utime(source / "run" / "a.mp4", ns=(1, 1))
    _write(source / "run", d="ok 50", e="ok 51", z="ok 52")
    (source / "run" / "b.mp4").unlink()
    assert build_index(str(source), out, _checks()).checked == 4
    assert _statuses(out) | {"b": None} == {
        "a": "ok", "b": None, "c": "truncated", "d": "ok", "e": "ok", "f": "ok", "g": "ok", "h": "corrupt", "z": "ok"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "checked"),
    [("codec", 0), ("reason", 0), ("rotation", 0), ("start", 0), ("note", 0), ("survey", 0), ("mtime_ns", 7)],
)
def test_an_index_from_before_a_column_existed_is_continued(source, tmp_path, column, checked):
    """The column is null; only without the time of change must unchanged files be opened again."""
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    whole = read_catalogue(out)
    pq.write_table(pq.read_table(out).drop_columns([column]), out)
    older = read_catalogue(out)
    assert older.table.schema == whole.table.schema
    assert older.table[column].null_count == 8
    assert older.table.drop_columns([column]) == whole.table.drop_columns([column])
    _write(source / "run", d="ok 50")
    built = build_index(str(source), out, _checks())
    assert built.checked == max(checked, 1)
    assert _statuses(out)["d"] == "ok"
    assert _rows(out)["d.mp4"][column] is not None or column in ("reason", "note", "survey", "start")


@pytest.mark.parametrize("column", ["path", "status"])
def test_a_file_without_an_essential_column_is_no_index(source, tmp_path, column):
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    pq.write_table(pq.read_table(out).drop_columns([column]), out)
    with pytest.raises(ValueError, match="is not an index that `videogn data index` wrote"):
        read_catalogue(out)


def test_another_way_of_checking_starts_again_and_other_min_frames_do_not(source, tmp_path):
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    assert build_index(str(source), out, _checks(), min_frames=31).checked == 0
    assert _statuses(out)["a"] == _statuses(out)["b"] == "short"
    assert build_index(str(source), out, _checks(), min_frames=1).checked == 0
    assert _statuses(out)["a"] == _statuses(out)["b"] == "ok"
    assert build_index(str(source), out, _checks(decode=False)).checked == 7
    assert _rows(out)["a.mp4"]["codec"] == "packets"


def test_a_hang_costs_its_limit_and_nothing_else(tmp_path):
    _write(tmp_path / "set", hangs="hang", fine="ok 20", too="ok 21")
    out = tmp_path / "i.parquet"
    started = time.monotonic()
    build_index(str(tmp_path / "set"), out, _checks(timeout=1.0))
    assert time.monotonic() - started < 20
    assert _statuses(out) == {"hangs": "corrupt", "fine": "ok", "too": "ok"}
    assert _rows(out)["hangs.mp4"]["reason"] == "its decoder hangs (no answer within 2 s)"
    assert build_index(str(tmp_path / "set"), out, _checks(timeout=1.0)).checked == 0
    # More time is a reason to try again; less is none.
    assert build_index(str(tmp_path / "set"), out, _checks(timeout=1.5)).checked == 1


def test_slow_files_are_tried_again_with_more_time_only(tmp_path):
    _write(tmp_path / "set", late="overtime 12", closed="hang-first", fine="ok 20")
    out = tmp_path / "i.parquet"
    build_index(str(tmp_path / "set"), out, _checks(timeout=1.0))
    assert _statuses(out) == {"late": "slow", "closed": "slow", "fine": "ok"}
    assert _rows(out)["late.mp4"]["frames"] == 12
    assert _rows(out)["closed.mp4"]["reason"] == "not opened within 1 s"
    assert read_catalogue(out).facts.summary["status"]["slow"] == 2
    assert build_index(str(tmp_path / "set"), out, _checks(timeout=1.0)).checked == 0
    assert build_index(str(tmp_path / "set"), out, _checks(timeout=0.5)).checked == 0
    assert build_index(str(tmp_path / "set"), out, _checks(timeout=1.5)).checked == 2


@pytest.mark.parametrize("reason", ["not read within 20 s", "the data at bytes 1163 to 103254 are damaged"])
def test_files_that_an_older_version_called_corrupt_are_tried_again(source, tmp_path, reason):
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    table = pq.read_table(out)
    reasons = [reason, *table["reason"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("reason"), "reason", pa.array(reasons)), out)
    assert build_index(str(source), out, _checks()).checked == 1


def test_a_slow_video_is_used_with_all_its_frames_if_it_could_be_opened(tmp_path):
    _write(tmp_path / "set" / "run", late="overtime 12", closed="hang-first", fine="ok 20")
    out = tmp_path / "i.parquet"
    build_index(str(tmp_path / "set"), out, _checks(timeout=1.0))
    records = {Path(record.path).stem: record for record in read_index(out).records}
    assert (records["late"].error, records["late"].frames) == (None, None)
    assert (records["fine"].error, records["fine"].frames) == (None, 20)
    assert records["closed"].error == "slow: not opened within 1 s"


def test_how_far_a_slow_video_was_decoded_makes_no_difference(tmp_path):
    _write(tmp_path / "set", a="overtime 12", b="ok 20 .", c="ok 20 .")
    out = tmp_path / "i.parquet"
    build_index(str(tmp_path / "set"), out, _checks())
    _write(tmp_path / "set", a="overtime 13", b="overtime 9", c="corrupt ")
    assert [path.stat().st_size for path in sorted((tmp_path / "set").iterdir())] == [11, 10, 8]
    found = check_index(out, timeout=LIMIT, workers=2, checker=PLAIN).differences
    assert [(Path(each.path).name, each.kind) for each in found] == [("b.mp4", "status"), ("c.mp4", "status")]


def test_notes_are_kept_and_counted(tmp_path, capsys):
    _write(tmp_path / "set", a="noted 30", b="ok 30")
    out = tmp_path / "i.parquet"
    build_index(str(tmp_path / "set"), out, _checks())
    assert _statuses(out) == {"a": "ok", "b": "ok"}
    assert (_rows(out)["a.mp4"]["note"], _rows(out)["b.mp4"]["note"]) == ("its chapters (and 1 more)", None)
    assert check_index(out, timeout=LIMIT, workers=2, checker=PLAIN).noted == 1
    assert check_index(out, timeout=LIMIT, workers=2, quick=True).noted == 1
    assert show.run(show.Options(str(out))) == 0
    printed = capsys.readouterr().out
    assert "with a note" in printed
    assert "its chapters (and 1 more)" in printed


def test_one_crash_is_forgiven(tmp_path):
    """The process may have died of an earlier file, or for want of memory."""
    _write(tmp_path / "set", once="crash-once")
    build_index(str(tmp_path / "set"), tmp_path / "i.parquet", _checks())
    assert _statuses(tmp_path / "i.parquet") == {"once": "ok"}


def test_an_inspector_that_fails_ends_the_run(tmp_path):
    """It is no property of the video: nothing may be recorded."""
    _write(tmp_path / "set", odd="bug")
    with pytest.raises(Exception, match="a checker must not raise"):
        build_index(str(tmp_path / "set"), tmp_path / "i.parquet", _checks())
    assert not (tmp_path / "i.parquet").exists()


def test_an_interrupt_ends_at_once_and_keeps_what_is_done(tmp_path):
    _write(tmp_path / "set", **{f"v{number}": "ok 20" for number in range(8)}, x="hang", y="hang")
    out = tmp_path / "i.parquet"

    def interrupt(done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    threads = threading.active_count()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        build_index(str(tmp_path / "set"), out, _checks(), progress=interrupt)
    assert time.monotonic() - started < LIMIT / 2
    assert threading.active_count() == threads
    assert len([line for line in read_journal(Path(f"{out}.journal")) if "path" in line]) == 8
    _write(tmp_path / "set", x="ok 9", y="ok 9")
    assert build_index(str(tmp_path / "set"), out, _checks()).checked == 2
    assert set(_statuses(out).values()) == {"ok"}


def test_two_at_once(source, tmp_path):
    out = tmp_path / "i.parquet"
    seen = []

    def second(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(ValueError, match=r"another videogn is writing .*i\.parquet") as caught:
                build_index(str(source), out, _checks())
            seen.append(caught)

    build_index(str(source), out, _checks(), progress=second)
    assert seen


def test_half_a_line_of_the_journal(tmp_path):
    journal = tmp_path / "x.journal"
    with Journal(journal) as lines:
        lines.append({"path": "a\udcff\n"})
    with open(journal, "ab") as file:
        file.write(b'{"path": "b", "sta')
    with Journal(journal) as lines:
        lines.append({"path": "c"})
    assert [line["path"] for line in read_journal(journal)] == ["a\udcff\n", "c"]


NAMES = ["with a space", "new\nline", "percent%41", "视频", "x" * 240, "quote\"'", os.fsdecode(b"not \xff utf-8")]


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path, name):
    folder = tmp_path / "set" / "class"
    _write(folder, **{name: "ok 40"})
    out = tmp_path / "i.parquet"
    build_index(str(tmp_path / "set"), out, _checks())
    (row,) = read_catalogue(out).table.to_pylist()
    assert row["status"] == "ok"
    assert Path(opened_path(row["path"])).read_text() == "ok 40"
    assert build_index(str(tmp_path / "set"), out, _checks()).checked == 0


def test_stored_paths_come_back():
    for name in NAMES:
        assert opened_path(stored_path(f"/a/{name}")) == f"/a/{name}"
    assert stored_path("/a/视频 %41") == "/a/视频 %41"
    assert path_array(["/a\udcff", "/b"]).to_pylist() == ["file:///a%FF", "/b"]


@pytest.mark.parametrize("file", ["ID_000010_000020.mp4", "ID.mp4"])
def test_kinetics(tmp_path, file):
    rows = ["label,youtube_id,time_start,time_end,split", "run,ID,10,20,validate", "sit down,GONE,0,10,train"]
    (tmp_path / "k.csv").write_text("\n".join(rows))
    _write(tmp_path / "videos" / "run", **{file.removesuffix(".mp4"): "ok 250", "extra": "ok 1"})
    built = build_index(str(tmp_path / "k.csv"), tmp_path / "i.parquet", _checks(), root=str(tmp_path / "videos"))
    first, second = built.catalogue.table.to_pylist()
    assert (first["path"], first["label"], first["split"]) == (str(tmp_path / "videos/run" / file), "run", "val")
    assert (second["status"], second["label"], second["split"]) == ("missing", "sit down", "train")
    assert built.unlisted == [str(tmp_path / "videos/run/extra.mp4")]
    assert built.catalogue.facts.summary["unlisted"] == 1
    assert built.catalogue.facts.summary["splits"] == {"train": {"missing": 1}, "val": {"ok": 1}}
    assert built.checked == 1


@pytest.mark.parametrize("separator", [" ", ","])
def test_lists(tmp_path, separator):
    _write(tmp_path, a="ok 20", b="ok 20")
    (tmp_path / "list.txt").write_text(f"a.mp4{separator}1\nc.mp4{separator}0\na.mp4{separator}0\n")
    built = build_index(str(tmp_path / "list.txt"), tmp_path / "i.parquet", _checks())
    assert [(Path(row["path"]).name, row["label"], row["status"]) for row in built.catalogue.table.to_pylist()] == [
        ("a.mp4", "1", "ok"),
        ("c.mp4", "0", "missing"),
        ("a.mp4", "0", "ok"),
    ]
    assert built.checked == 1
    assert built.unlisted == [str(tmp_path / "b.mp4")]


def test_a_root_with_splits(tmp_path):
    for split in ("train", "val"):
        _write(tmp_path / split / "run_fast", a="ok 20")
    _write(tmp_path / "val" / "new", a="ok 20")
    _write(tmp_path / "elsewhere", a="ok 20")
    listing = read_listing(tmp_path)
    assert listing.classes == ("run_fast", "new")
    assert [(row["label"], row["split"]) for row in listing.table.to_pylist()] == [
        ("run_fast", "train"),
        ("new", "val"),
        ("run_fast", "val"),
    ]
    assert build_index(str(tmp_path), tmp_path / "i.parquet", _checks()).unlisted == [str(tmp_path / "elsewhere/a.mp4")]


def test_the_spelling_of_classes_is_that_of_training(tmp_path):
    _write(tmp_path / "val" / "run_fast", a="ok 20")
    (tmp_path / "train.csv").write_text("label,youtube_id,time_start,time_end\nrun fast,x,0,10\n")
    listing = read_listing(tmp_path)
    assert listing.classes == ("run fast",)
    assert listing.table["label"].to_pylist() == ["run fast", "run fast"]


def test_loose_videos_one_video_and_an_index(tmp_path):
    _write(tmp_path / "loose", a="ok 20", b="ok 20")
    (tmp_path / "loose" / "folder.mp4").mkdir()
    assert read_listing(tmp_path / "loose").table["label"].to_pylist() == [None, None]
    one = read_listing(tmp_path / "loose" / "a.mp4")
    assert (one.table.num_rows, one.searched) == (1, None)
    build_index(str(tmp_path / "loose"), tmp_path / "i.parquet", _checks())
    assert read_listing(tmp_path / "i.parquet") == read_listing(tmp_path / "loose")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout must be between"),
        ({"timeout": float("nan")}, "timeout must be between"),
        ({"workers": 0}, "workers must be >= 1, got 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        _checks(**options)


def test_a_file_that_is_no_index_is_not_replaced(source, tmp_path):
    out = tmp_path / "other.parquet"
    out.write_text("mine")
    with pytest.raises(ValueError, match="is not an index"):
        build_index(str(source), out, _checks())
    assert out.read_text() == "mine"


def test_nothing_of_the_source_is_changed(source, tmp_path):
    def state() -> list[tuple]:
        return [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(source.rglob("*.mp4"))]

    before = state()
    build_index(str(source), tmp_path / "i.parquet", _checks())
    assert state() == before


def test_check_finds_each_difference(source, tmp_path):
    out = tmp_path / "i.parquet"
    build_index(str(source), out, _checks())
    check = {"timeout": LIMIT, "workers": 2, "checker": PLAIN}
    assert check_index(out, **check).differences == []
    assert check_index(out, quick=True, **check).differences == []
    stamp = (source / "run" / "b.mp4").stat().st_mtime_ns
    before = out.read_bytes()
    (source / "run" / "a.mp4").unlink()
    _write(source / "run", b="ok 6", c="truncated 10", d="now ok", e="ok 44", new="ok 45")
    os.utime(source / "run" / "b.mp4", ns=(stamp, stamp))
    found = check_index(out, **check)
    assert found.videos == 8
    assert [(Path(one.path).stem, one.kind, one.then, one.now) for one in found.differences] == [
        ("a", "gone", "ok", "missing"),
        ("b", "frames", "7", "6"),
        ("c", "frames", "12", "10"),
        ("d", "bytes", "11", "6"),
        ("e", "status", "empty (file is empty)", "ok"),
        (source.name, "unlisted", "0 videos", "1 videos"),
    ]
    kinds = [(Path(one.path).stem, one.kind) for one in check_index(out, quick=True, **check).differences]
    # Same size and time: only reading b tells.
    assert kinds == [("a", "gone"), ("c", "mtime_ns"), ("d", "bytes"), ("e", "bytes"), (source.name, "unlisted")]
    assert out.read_bytes() == before


def test_what_was_unlisted_before_makes_no_difference(tmp_path):
    _write(tmp_path, a="ok 20", old="ok 20")
    (tmp_path / "list.txt").write_text("a.mp4 0\n")
    build_index(str(tmp_path / "list.txt"), tmp_path / "i.parquet", _checks())
    check = {"timeout": LIMIT, "workers": 1, "checker": PLAIN}
    assert check_index(tmp_path / "i.parquet", **check).differences == []
    (tmp_path / "old.mp4").rename(tmp_path / "other.mp4")
    folder = str(tmp_path)
    assert check_index(tmp_path / "i.parquet", **check).differences == [
        Difference(folder, "unlisted", "1 videos", "1 other videos")
    ]
    _write(tmp_path, another="ok 20")
    assert check_index(tmp_path / "i.parquet", **check).differences == [
        Difference(folder, "unlisted", "1 videos", "2 videos")
    ]


def test_a_quick_check_of_what_cannot_be_read_says_so(tmp_path, monkeypatch):
    _write(tmp_path / "run", a="ok 20")
    build_index(str(tmp_path), tmp_path / "i.parquet", _checks())
    monkeypatch.setattr(os, "access", lambda *_: False)  # as chmod 0 does, unless root asks
    (found,) = check_index(tmp_path / "i.parquet", timeout=LIMIT, workers=1, quick=True).differences
    assert (found.kind, found.then, found.now) == ("status", "ok", "corrupt (cannot be opened (Permission denied))")


@pytest.mark.parametrize("kind", ["folder", "video", "index", "shards"])
def test_a_root_is_for_lists_only(tmp_path, kind):
    _write(tmp_path / "run", a="ok 20")
    with tarfile.open(tmp_path / "x.tar", "w") as shard:
        shard.add(tmp_path / "run" / "a.mp4", "run/a.mp4")
    build_index(str(tmp_path / "run"), tmp_path / "i.parquet", _checks())
    sources = {"folder": "", "video": "run/a.mp4", "index": "i.parquet", "shards": "x.tar"}
    with pytest.raises(ValueError, match="--root says where the videos of a CSV or list lie"):
        read_listing(tmp_path / sources[kind], tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_listing(tmp_path / sources[kind], tmp_path / "nowhere")
