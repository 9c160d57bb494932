"""Mutants of a checkpoint: it loads or is refused in one line, without running anything or taking much memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fuzzing import fuzzed, most_memory, mutants, outcome
from hypothesis import strategies as st

from videogn.inference.loading import load_network
from videogn.system.killable import KillableProcess
from videogn.training.task import VideoClassifier

_LIMIT = 120.0
#: Bytes that a process may take at its peak to load mutants of a file of some 100 kB; torch itself takes 500 MB.
_MOST = 1.5e9
_SINGLE = (
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.integers(-9, 9),
    st.floats(allow_subnormal=False),
    st.text(max_size=8),
)
_VALUES = st.recursive(
    st.one_of(*_SINGLE, st.binary(max_size=4), st.just(torch.zeros(3)), st.sampled_from(["/dev/zero", "os.system"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


class Loader:
    """Loads networks in a process that may be lost."""

    def load(self, path: str) -> tuple[str, int]:
        """What loading a file came to, and the most memory of this process so far; raises what must not be raised."""
        found = outcome(load_network, path)
        text = found if isinstance(found, str) else "loaded"
        return text, most_memory()


@pytest.fixture(scope="module")
def process() -> Iterator[KillableProcess]:
    process = KillableProcess("test_fuzz_checkpoints:Loader")
    yield process
    process.close()


@pytest.fixture(scope="module")
def content() -> dict:
    torch.manual_seed(0)
    task = VideoClassifier("i3d_tiny", arch_options={"width": 4}, class_names=["a", "b"], clip_length=4, crop_size=32)
    return {"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict(), "training": {"seed": 7}}


@pytest.fixture(scope="module")
def whole(content) -> bytes:
    return _saved(content)


def _saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _pickle(whole: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return archive.read("archive/data.pkl")


def _with_pickle(whole: bytes, pickled: bytes) -> bytes:
    """The same archive with another pickle and right check sums, as one who means harm would make it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickled if name == "archive/data.pkl" else old.read(name))
    return file.getvalue()


def _load(process: KillableProcess, path: Path, data: bytes) -> str:
    path.write_bytes(data)
    found, most = process.call("load", str(path), limit=_LIMIT)
    assert most < _MOST
    return found


def test_the_checkpoint_itself(process, whole, tmp_path):
    assert _load(process, tmp_path / "a.ckpt", whole) == "loaded"
    assert _load(process, tmp_path / "a.ckpt", _with_pickle(whole, _pickle(whole))) == "loaded"


@fuzzed(0.8, data=st.data())
def test_mutants_of_the_file(process, whole, tmp_path, data):
    _load(
        process, tmp_path / "a.ckpt", data.draw(mutants(whole, inserts=(b"PK\3\4", b"PK\1\2", b"PK\5\6", b"\xff" * 8)))
    )


@fuzzed(0.8, data=st.data())
def test_mutants_of_the_pickle(process, whole, tmp_path, data):
    """With what would write a file if it were run."""
    ran = tmp_path / "ran"
    system = f"(S'touch {ran}'\ntR".encode()
    calls = tuple(b"c" + name + b"\n" + system for name in (b"os\nsystem", b"posix\nsystem", b"builtins\nexec"))
    others = (
        b"ctorch\nload\n",
        b"cvideogn.cli\nmain\n",
        b"\x8a\xff",
        b"]" * 99,
        b"\x94",
        b"h\0",
        b"Q",
        b"b",
        b"R",
        b"o",
        b".",
    )
    pickled = data.draw(mutants(_pickle(whole), inserts=calls + others))
    _load(process, tmp_path / "a.ckpt", _with_pickle(whole, pickled))
    assert not ran.exists()


@pytest.mark.parametrize("call", [b"cos\nsystem\n", b"cposix\nsystem\n", b"cbuiltins\nexec\n"])
def test_what_would_be_run_is_refused(process, whole, tmp_path, call):
    ran = tmp_path / "ran"
    harm = b"\x80\x02" + call + f"(S'touch {ran}'\ntR.".encode()
    for data in (_with_pickle(whole, harm), harm, _with_pickle(whole, _pickle(whole)[:-1] + harm[2:])):
        assert "a.ckpt" in _load(process, tmp_path / "a.ckpt", data)
        assert not ran.exists()


@fuzzed(0.8, data=st.data(), value=_VALUES)
def test_values_of_any_kind(process, content, tmp_path, data, value):
    """In the place of a hyper-parameter, a tensor, or a part of the checkpoint."""
    part = data.draw(st.sampled_from(["hyper_parameters", "hyper_parameters", "state_dict", "training", None]))
    inside = content if part is None else content[part]
    changed = {**inside, data.draw(st.sampled_from(sorted(inside)) | st.text(max_size=5)): value}
    _load(process, tmp_path / "a.ckpt", _saved(changed if part is None else {**content, part: changed}))
