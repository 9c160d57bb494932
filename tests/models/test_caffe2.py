"""The restricted unpickler: arrays come in, nothing runs."""

from __future__ import annotations

import builtins
import functools
import operator
import os
import pickle
import subprocess

import numpy as np
import pytest
import torch

from videogn.models import i3d_tiny, load_weights
from videogn.models.caffe2 import read_caffe2

# {"a": a 2 x 3 float32 array of 0 to 5}, as Python 2 wrote it: text opcodes, and data as a byte string.
PYTHON_2 = (
    b"\x80\x02}q\x00U\x01acnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff"
    b"\xffK\x00tb\x89U\x18" + np.arange(6, dtype="<f4").tobytes() + b"tbs."
)


def test_a_pickle_of_python_2(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(PYTHON_2)
    assert pickle.loads(PYTHON_2, encoding="latin1")["a"].shape == (2, 3)  # it is what it says it is
    torch.testing.assert_close(read_caffe2(path)["a"], torch.arange(6.0).view(2, 3))


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_kind(tmp_path, protocol):
    rows = np.arange(12.0).reshape(3, 4)
    arrays = {
        "double": rows,
        "fortran": np.asfortranarray(rows.astype("f4")),
        "big endian": rows.astype(">f4"),
        "half": rows.astype("f2"),
        "strided": rows[:, ::2],
        "integers": np.arange(3),
    }
    path = tmp_path / "a.pkl"
    path.write_bytes(
        pickle.dumps({"blobs": arrays | {"step": np.float32(3), "name": "x", "order": [1, (2,)]}}, protocol)
    )
    read = read_caffe2(path)
    assert list(read) == list(arrays)
    for name, tensor in read.items():
        np.testing.assert_array_equal(tensor.numpy(), arrays[name])
        tensor.add_(1)  # writable


class _Calls:
    """Unpickling it calls `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _hostile(marker):
    command = f'mkdir "{marker}"'
    return {
        "os.system": _Calls(os.system, command),
        "subprocess": _Calls(subprocess.check_call, ["mkdir", str(marker)]),
        "eval": _Calls(builtins.eval, f"__import__('os').mkdir({str(marker)!r})"),
        "exec": _Calls(builtins.exec, f"__import__('os').mkdir({str(marker)!r})"),
        "getattr": _Calls(builtins.getattr, os, "mkdir"),
        "partial": _Calls(functools.partial, os.mkdir, str(marker)),
        "attrgetter": _Calls(operator.attrgetter, "system"),
        "numpy.load": _Calls(np.load, str(marker), None, True),
        "numpy.fromfile": _Calls(np.fromfile, "/etc/hostname"),
        "torch.load": _Calls(torch.load, str(marker)),
        "objects": np.array([_Calls(os.system, command)], dtype=object),
        "plain objects": np.array([1, "a"], dtype=object),
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", _hostile("x"))
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: {"blobs": {"conv1_w": np.zeros(3), "b": [(bad,)]}}])
def test_hostile_pickles_run_nothing(tmp_path, kind, wrap, protocol):
    marker, path = tmp_path / "ran", tmp_path / "R-50-GN.pkl"
    bad = _hostile(marker)[kind]
    if kind == "torch.load" or kind.startswith("getattr"):
        path.write_bytes(b"\x80\x02cbuiltins\ngetattr\nq\x00cos\nsystem\n\x85R.")  # modules themselves do not pickle
    else:
        path.write_bytes(pickle.dumps(wrap(bad), protocol))
    with pytest.raises(ValueError, match=r"R-50-GN\.pkl is not a checkpoint") as error:
        load_weights(i3d_tiny(), path)
    assert "\n" not in str(error.value)
    assert not marker.exists()


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(_hostile(tmp_path / "ran")["os.system"]))
    assert (tmp_path / "ran").exists()


RAW = {
    "a nested name": b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.",
    "a module through numpy": b"\x80\x02cnumpy\nos.system\nX\x02\x00\x00\x00ls\x85R.",
    "an instance": b"(ios\nsystem\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "new object": b"\x80\x02cnumpy\ndtype\n)\x81.",
    "a huge array": b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86\x85R.",
    "bytes of a number": b"\x80\x02c_codecs\nencode\nJ\xff\xff\xff\x7fX\x06\x00\x00\x00latin1\x86R.",
    "attributes of a constructor": b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.",
    "text": b"hello\n",
    "empty": b"",
    "truncated": PYTHON_2[:-20],
    "a list": b"\x80\x02].",
    "no blobs": b"\x80\x02}.",
    "blobs of nothing": b"\x80\x02}X\x05\x00\x00\x00blobsNs.",
}


@pytest.mark.parametrize("kind", RAW)
def test_raw_pickles_that_are_no_weights(tmp_path, kind):
    path = tmp_path / "a.pkl"
    path.write_bytes(RAW[kind])
    with pytest.raises(ValueError, match=r"a\.pkl is not a (checkpoint|file of weights)"):
        load_weights(i3d_tiny(), path)


def test_what_one_file_sets_does_not_stay(tmp_path):
    """A pickle may set attributes of a constructor it was given, which is then its own."""
    (tmp_path / "bad.pkl").write_bytes(b"\x80\x02cnumpy\ndtype\nN}X\x0c\x00\x00\x00__defaults__)s\x86b.")
    with pytest.raises(ValueError, match="is not a"):
        load_weights(i3d_tiny(), tmp_path / "bad.pkl")
    (tmp_path / "good.pkl").write_bytes(PYTHON_2)
    assert read_caffe2(tmp_path / "good.pkl")["a"].shape == (2, 3)
