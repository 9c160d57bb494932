"""Sizes, durations, shares of a list, YAML and grids, as people and hostile files write them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from fuzzing import Refused, fuzzed, mutants, outcome
from hypothesis import example
from hypothesis import strategies as st

from videogn.inference.bulk.inputs import parse_shard
from videogn.study.grid import make_grid
from videogn.study.yaml_values import load_yaml
from videogn.system.durations import format_duration
from videogn.system.sizes import format_size, parse_size

_GRID = Path(__file__).parents[2] / "configs" / "study" / "motion.yaml"
_NUMBERS = st.one_of(st.integers(), st.floats(allow_subnormal=False), st.booleans(), st.none())
_TEXT = st.text(max_size=12)
#: What YAML of any kind may hold, as Python has it.
VALUES = st.recursive(
    _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.integers(), inner, max_size=3),
    max_leaves=12,
)
_YAML = (b"&a [*a]", b"*a", b"<<: ", b"!!int x", b"!!timestamp x", b"!!float ''", b"!!python/name:os.system ", b"? ",
         b"[" * 40, b"{" * 40, b"- ", b": ", b"\t", b"1e999", b"0o9", b"2001-99-99", b"!!binary =", b"\xff", b"\0",
         b"!!set {a, b}", b"!!omap [a]", b"!!pairs x", b"%YAML 9.9\n---\n", b"---\n", b"12:99:99", b".nan")  # fmt: skip


@fuzzed(text=st.text(max_size=20) | st.from_regex(r"[0-9]{1,25}(\.[0-9]{1,9})? ?[kmgtKMGT]?i?[bB]?", fullmatch=True))
@example(text="9" * 400)
@example(text="٣GB")
def test_sizes(text):
    found = outcome(parse_size, text)
    assert isinstance(found, Refused) or 0 <= found < 2**63


@fuzzed(size=st.integers(0, 2**62))
def test_sizes_are_read_as_written(size):
    assert abs(parse_size(format_size(size)) - size) <= max(size, 1) * 0.05
    assert parse_size(size) == round(float(size))


@fuzzed(seconds=st.floats(0, 1e12, allow_subnormal=False))
@example(seconds=100.0)
@example(seconds=5969.9)
def test_durations(seconds):
    written = format_duration(seconds)
    assert re.fullmatch(r"[\d.e+-]+ (s|min|h|d)( \d+ (min|h))?", written)
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    parts = written.split()
    total = sum(float(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert total == pytest.approx(seconds, rel=0.06)


@fuzzed(0.5, text=st.text(max_size=12) | st.from_regex(r"-?[0-9]{1,30}/-?[0-9]{1,30}", fullmatch=True))
def test_shares_of_a_list(text):
    found = outcome(parse_shard, text)
    assert isinstance(found, Refused) or 1 <= found.number <= found.of


@fuzzed(text=st.text(max_size=80) | mutants(_GRID.read_bytes(), inserts=_YAML).map(lambda b: b.decode("latin-1")))
@example(text="[" * 5000)
@example(text="a: " + "{b: " * 3000)
@example(text="!!timestamp x")
@example(text="!!int x")
@example(text="!!float x")
@example(text="2001-99-99")
@example(text="!!bool x")
@example(text="? [a]\n: b")
@example(text="1" * 5000)
def test_yaml(text):
    assert not isinstance(found := outcome(load_yaml, "study.yaml", text), Refused) or "study.yaml" in found


@fuzzed(0.5, text=mutants(_GRID.read_bytes(), inserts=_YAML).map(lambda b: b.decode("latin-1")))
@example(text="fit: &a\n  model: *a\naxes: {norm: [bn]}\nbudget: {epochs: 1}")
@example(text="budget: &a [*a]")
def test_mutants_of_a_study(text):
    content = outcome(load_yaml, "study.yaml", text)
    if isinstance(content, dict):
        _make(content)


@fuzzed(0.5, key=st.sampled_from(sorted(yaml.safe_load(_GRID.read_text()))), value=VALUES, inner=st.none() | _TEXT)
def test_values_of_a_study(key, value, inner):
    content = yaml.safe_load(_GRID.read_text())
    if isinstance(content[key], dict) and content[key]:
        name = sorted(content[key], key=str)[len(inner or "") % len(content[key])]
        content[key] = {**content[key], name: value}
    else:
        content[key] = value
    _make(content)


def _make(content):
    """Cells, or a refusal in a line that says something."""
    found = outcome(make_grid, content, folder=_GRID.parent)
    assert found if isinstance(found, Refused) else found.cells
