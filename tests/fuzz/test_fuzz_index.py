"""Parquet indexes: mutants of a real one, in a process that a crash of Arrow would end; and columns of any kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import Refused, fuzzed, mutants, outcome
from hypothesis import example
from hypothesis import strategies as st

from videogn.data.parquet_index import parquet_splits
from videogn.data.sources import read_index
from videogn.indexing.catalogue import read_catalogue
from videogn.system.killable import KillableProcess

_LIMIT = 60.0
_COLUMNS = {
    "path": ["a.mp4", "b/c.mp4", "file:///d%ff.mp4"],
    "label": ["run", "jump", None],
    "split": ["train", "train", "val"],
    "frames": [300, 12, None],
    "status": ["ok", "slow", "corrupt"],
    "reason": ["", "not read within 60 s", "cut"],
    "sha256": ["0" * 64, "f" * 64, None],
    "start_time": [0.5, None, None],
    "end_time": [2.5, None, None],
}
_STORED = {"version": 1, "root": "/data/kinetics", "classes": ["jump", "run"]}


class IndexReader:
    """Reads indexes in a process that may be lost."""

    def read(self, path: str) -> str:
        """Read everything of an index; returns what it came to, and raises what must not be raised."""
        outcome(parquet_splits, Path(path))
        outcome(read_catalogue, path)
        return str(outcome(read_everything, path))


def read_everything(path: str) -> int:
    """The number of records of an index, each of which is looked at."""
    index = read_index(path)
    for record in index.records:
        assert record.path
    index.counts()
    index.fingerprint()
    return len(index)


def written(path: Path, columns: dict, stored: object = _STORED) -> Path:
    table = pa.table(columns)
    text = stored if isinstance(stored, bytes) else json.dumps(stored).encode()
    pq.write_table(table.replace_schema_metadata({b"videogn.index": text}), path)
    return path


@pytest.fixture(scope="module")
def process() -> Iterator[KillableProcess]:
    process = KillableProcess("test_fuzz_index:IndexReader")
    yield process
    process.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("index") / "index.parquet", _COLUMNS).read_bytes()


@fuzzed(data=st.data())
def test_mutants_of_an_index(process, whole, tmp_path, data):
    path = tmp_path / "index.parquet"
    path.write_bytes(data.draw(mutants(whole, inserts=(b"PAR1", b"\xff" * 8, b"\x80" * 10 + b"\x01", b'"', b"run"))))
    process.call("read", str(path), limit=_LIMIT)


_LENGTH = 3
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def _column(values: st.SearchStrategy) -> st.SearchStrategy[list]:
    return st.lists(st.none() | values, min_size=_LENGTH, max_size=_LENGTH)


_ANY = st.one_of(
    *map(
        _column, (_NUMBERS, st.floats(allow_subnormal=False), _TEXT, st.binary(max_size=5), st.booleans(), st.dates())
    ),
    _column(st.lists(_TEXT, max_size=3)),
    _column(st.lists(_NUMBERS, max_size=3)),
    _column(st.fixed_dictionaries({"a": _NUMBERS})),
)


@fuzzed(
    changed=st.dictionaries(st.sampled_from([*_COLUMNS, "labels", "bytes", "start", "start_frame", "end_frame"]), _ANY,
                            min_size=1, max_size=3),
    left_out=st.sampled_from([None, *_COLUMNS]),
)  # fmt: skip
@example(changed={"path": [None, None, None]}, left_out=None)
@example(changed={"labels": [[], [], []]}, left_out=None)
@example(changed={"sha256": [None, None, None]}, left_out=None)
def test_columns_of_any_kind(tmp_path, changed, left_out):
    columns = {name: values for name, values in {**_COLUMNS, **changed}.items() if name != left_out}
    _read_both(written(tmp_path / "index.parquet", columns))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@fuzzed(
    0.7,
    stored=_JSON | st.tuples(st.sampled_from([*_STORED, "facts"]), _JSON).map(lambda one: {**_STORED, one[0]: one[1]}),
)
@example(stored=None)
@example(stored={**_STORED, "root": ["a"]})
@example(stored={**_STORED, "classes": {"a": 1}})
@example(stored={**_STORED, "classes": [1, 2]})
def test_metadata_of_any_kind(tmp_path, stored):
    _read_both(written(tmp_path / "index.parquet", _COLUMNS, stored))


@pytest.mark.parametrize(
    "stored", [b"", b"\xff", b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}", b'{"version": 1e999}']
)
def test_metadata_that_is_no_json(tmp_path, stored):
    _read_both(written(tmp_path / "index.parquet", _COLUMNS, stored))


def _read_both(path: Path) -> None:
    """As what is trained on, and as what `videogn data index` goes on with; a refusal names the file."""
    for read, source in ((read_everything, str(path)), (read_catalogue, path)):
        found = outcome(read, source)
        assert not isinstance(found, Refused) or path.name in found
