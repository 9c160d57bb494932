"""Which rows of an index are files known to be intact: those that a full check called ok, without any remark."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.data.parquet_index import read_parquet
from videogn.data.records import Records
from videogn.video.storage import CheckedFile

ROW = {
    "survey": "text",
    "path": "/x/a.mp4",
    "label": "a",
    "frames": 9,
    "status": "ok",
    "reason": None,
    "note": None,
    "bytes": 10,
}


@pytest.mark.parametrize(
    ("decode", "over", "known"),
    [(True, {}, True), (False, {}, False), (True, {"note": "chapters"}, False), (True, {"status": "short"}, False)],
)
def test_rows_of_an_index(tmp_path, decode, over, known):
    table = pa.Table.from_pylist([ROW | {"mtime_ns": 77} | over])
    facts = json.dumps({"version": 1, "decode": decode, "classes": ["a"]})
    pq.write_table(table.replace_schema_metadata({b"videogn.index": facts}), tmp_path / "i.parquet")
    records = read_parquet(tmp_path / "i.parquet").records
    for path in (records[0].path, next(iter(records)).path, Records.of(list(records))[0].path):
        assert path == "/x/a.mp4"
        assert isinstance(path, CheckedFile) is known
        assert not known or (path.size, path.changed, path.survey) == (10, 77, "text")


def test_an_index_without_a_survey(tmp_path):
    row = {name: value for name, value in ROW.items() if name != "survey"} | {"mtime_ns": 77}
    facts = json.dumps({"version": 1, "decode": True, "classes": ["a"]})
    pq.write_table(
        pa.Table.from_pylist([row]).replace_schema_metadata({b"videogn.index": facts}), tmp_path / "i.parquet"
    )
    path = read_parquet(tmp_path / "i.parquet").records[0].path
    assert (path.size, path.changed, path.survey) == (10, 77, None)
