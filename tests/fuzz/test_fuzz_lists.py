"""Lists of every format, mutated: an index, or a refusal in one line; never as large as a number in them says."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from fuzzing import Refused, fuzzed, most_memory, mutants, outcome
from hypothesis import strategies as st

from videogn.data.sources import read_index
from videogn.data.splits import read_splits

_SOMETHING = [
    {"id": "1", "label": "a", "template": "Moving [something]"},
    {"id": "2", "template": "Holding [something]"},
]
_ACTIVITYNET = {
    "database": {
        "v1": {"subset": "training", "annotations": [{"segment": [0.5, 3.2], "label": "run"}], "duration": 9.5},
        "v2": {"subset": "validation", "annotations": [], "duration": 3},
    }
}
#: Name of the file -> its text.
LISTS = {
    "kinetics.csv": "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,0,10,train\n"
    '"a, b",ABCDEFGHIJK,5,15,val\n',
    "lines.txt": "left/a b.mp4 left\nleft/c.mp4\tleft\n# note\nright/d.mp4, right\n",
    "numbers.txt": "a.mp4 0\nb.mp4 1\nc.mp4 2\n",
    "columns.csv": "path;label;split;start;end\na.mp4;run;train;0.5;2\nb.mp4;jump;val;1;3\n",
    "labels.csv": "path,labels\na.mp4,run|jump\nb.mp4,\n",
    "trainlist01.txt": "Run/v_Run_g01_c01.avi 1\nJump/v_Jump_g01_c01.avi 2\n",
    "rawframes.txt": "a/v1 300 0\nb/v2 120 1\n",
    "something.csv": "1;Holding\n2;Moving\n",
    "Charades_v1_train.csv": "id,subject,scene,length,actions\n46GP8,HR43,Kitchen,24.83,c092 11.9 21.2;c147 0 12.6\n"
    "N11GT,0,Hall,18.91,\n",
    "EPIC_100_train.csv": "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "verb,verb_class,noun,noun_class\nP01_01_0,P01,P01_01,00:00:00.14,00:00:03.37,8,202,open,3,door,3\n",
    "moments.csv": "running/a.mp4,running,3,0\njumping/b.mp4,jumping,2,1\n",
    "something.json": json.dumps(_SOMETHING),
    "activitynet.json": json.dumps(_ACTIVITYNET),
    "diving48.json": json.dumps([{"vid_name": "a_00001", "label": 3, "start_frame": 0, "end_frame": 90}]),
}  # fmt: skip
_INSERTS = (
    b'"', b"\0", b"\r", b"\r\n", b"\n", b",", b";", b"\t", b"|", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"1530000000", b"99999999999999999999999", b"-1", b"1e400", b"nan", b"inf", b"\xe2\x80\xa8", b"\x1b[2J", b"../../",
    b'{"a":', b"null", b"true", b"[]", b"{}", b"[" * 40, b"s3://x/", b"/", b"#t=1,2", b"#frames=9,2", b"path", b"label",
    b"split", b"a" * 5000, b"\\ud800", b"00:99:99.9", b"\x85", b"\x1c",
)  # fmt: skip
#: Bytes by which no small list may let this process grow.
_GROWTH = 300e6


def _peak() -> int:
    return most_memory()


def _read(source: Path, root: Path) -> None:
    before = _peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index = outcome(read_index, source, root=root)
        if isinstance(index, Refused):
            assert source.name in index
        else:
            assert len(index.counts()) == len(index.classes)
            assert len(index.classes) <= 1_000_000
            assert len(index.fingerprint()) == 64
        outcome(read_splits, str(root), {"train": str(source)}, val_fraction=0.5, class_names=None, seed=0)
    assert _peak() - before < _GROWTH


@pytest.mark.parametrize("name", LISTS)
@fuzzed(0.3, data=st.data())
def test_mutants_of_lists(tmp_path, name, data):
    source = tmp_path / name
    source.write_bytes(data.draw(mutants(LISTS[name].encode(), inserts=_INSERTS)))
    _read(source, tmp_path)


@fuzzed(content=st.text(max_size=200), suffix=st.sampled_from((".txt", ".csv", ".json")))
def test_any_text(tmp_path, content, suffix):
    source = tmp_path / f"list{suffix}"
    source.write_bytes(content.encode("utf-8", "surrogatepass"))
    _read(source, tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(("database", "annotations", "segment", "label", "subset", "id", "template", "vid_name",
                         "start_frame", "end_frame", "duration", "a")),
        inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@fuzzed(0.5, content=_JSON, name=st.sampled_from([name for name in LISTS if name.endswith(".json")]))
def test_any_json(tmp_path, content, name):
    """Values of any kind, whole or in the place of one value of a real list."""
    source = tmp_path / "list.json"
    real = json.loads(LISTS[name])
    for whole in (content, [content], {"database": content}, {"database": {"v": content}}, _with(real, content)):
        source.write_text(json.dumps(whole))
        _read(source, tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"database":' * 50_000, '[{"id": ' + "9" * 5000 + "}]", "{}", "[]", '"']
)
def test_json_that_python_refuses_in_its_own_ways(tmp_path, text):
    source = tmp_path / "list.json"
    source.write_text(text)
    assert isinstance(outcome(read_index, source), Refused)


def _with(real, content):
    """A real list, one value of its first entry replaced."""
    if isinstance(real, list):
        key = sorted(real[0])[len(repr(content)) % len(real[0])]
        return [{**real[0], key: content}, *real[1:]]
    video = real["database"]["v1"]
    key = sorted(video)[len(repr(content)) % len(video)]
    return {"database": {**real["database"], "v1": {**video, key: content}}}
