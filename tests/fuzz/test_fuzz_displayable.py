"""Whatever a name holds, what is shown of it is one line that a terminal obeys nothing of."""

from __future__ import annotations

import os
import unicodedata

from fuzzing import fuzzed
from hypothesis import example
from hypothesis import strategies as st

from videogn.system.displayable import displayable, harmless, one_line

_CONTROL = st.sampled_from(
    [*map(chr, range(32)), "\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\ufeff", "\udcff", "\ud800", "🙂"]
)
_NAME = st.one_of(
    st.text(max_size=40),
    st.lists(_CONTROL | st.characters(), max_size=20).map("".join),
    st.binary(max_size=30).map(os.fsdecode),
)


@fuzzed(3, name=_NAME)
@example(name="\ud83d\ude42")
@example(name="a\\nb")
@example(name="\u200dा")
def test_one_line(name):
    shown = one_line(name)
    assert len(shown.splitlines()) <= 1
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert not {"\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068"} & set(shown)
    assert one_line(shown) == shown
    shown.encode()


@fuzzed(3, name=_NAME)
@example(name="\ud83d\ude42")
def test_lines(name):
    shown = harmless(name)
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n\r"]
    assert harmless(shown) == shown
    displayable(name).encode()


@fuzzed(name=st.text(max_size=20).filter(str.isprintable))
def test_names_without_anything_to_obey_stay(name):
    assert one_line(name) == harmless(name) == name
