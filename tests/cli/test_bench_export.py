"""videogn bench export: one row a variant, and a reason in place of what cannot be measured."""

from __future__ import annotations

import json

import pytest
import torch

from videogn.exporting.check import CheckFailedError
from videogn.exporting.export import export
from videogn.exporting.formats import FORMATS
from videogn.training.task import VideoClassifier


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch):
    """Compiling takes longer than all the rest, and not every machine can."""

    def no_compiler(net):
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", no_compiler)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network of clips of 2 x 16 x 16, which leave one position, tested on center crops."""
    view = {"clip_length": 2, "interval": 1, "crop_size": 16, "short_side": 16, "crops": "center"}
    torch.manual_seed(0)
    task = VideoClassifier("i3d_tiny", "gn", arch_options={"width": 4}, class_names=["a", "b", "c"], **view)
    path = tmp_path_factory.mktemp("benched") / "last.ckpt"
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, path)
    return path


def test_all_formats(videogn, capsys, checkpoint, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.delitem(FORMATS, "openvino")  # its tests are elsewhere, and every format costs seconds
    monkeypatch.setattr("videogn.exporting.int8.INT8_FORMATS", ("onnx",))
    assert videogn("bench", "export", checkpoint, "--clips", "2", "--rounds", "2", "--threads", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["variants"]}
    assert list(rows) == ["eager", "channels last", "compiled", "torch-export", "onnx", "onnx, int8"]
    assert rows["compiled"]["error"] == "no C++ compiler"
    for name in ("channels last", "torch-export", "onnx"):
        assert rows[name]["error"] is None, name
        assert rows[name]["measured"]["difference"] < 1e-4
        assert rows[name]["measured"]["agreement"] == 1
    assert rows["onnx, int8"]["measured"]["difference"] > 0
    assert found["clip"] == [1, 3, 2, 16, 16]
    assert found["threads"] == 1


def test_a_format_that_does_not_work_is_a_row(videogn, capsys, checkpoint, monkeypatch):
    """Nothing can be made of it either, which is a row too."""

    def differs(source, form, out):
        raise CheckFailedError(f"{form} differs")

    monkeypatch.setattr("videogn.exporting.export.export", differs)
    assert videogn("bench", "export", checkpoint, "--clips", "1", "--rounds", "1", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["variants"]}
    assert rows["onnx"]["error"] == "onnx differs"
    assert "no such file" in rows["onnx, int8"]["error"] or "needs" in rows["onnx, int8"]["error"]


def test_files_and_videos(videogn, capsys, monkeypatch, motion, checkpoint, tmp_path):
    """The table fits a terminal of 80 columns."""
    out = tmp_path / "net.pt2"
    export(checkpoint, "torch-export", out)
    (tmp_path / "bad.mp4").touch()
    (tmp_path / "foreign.onnx").write_text("no network")
    for name, value in (("COLUMNS", "80"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    videos = ["--videos", motion / "val", tmp_path / "bad.mp4", "--clips", "30", "--rounds", "1"]
    assert videogn("bench", "export", checkpoint, out, tmp_path / "foreign.onnx", *videos) == 0
    printed = capsys.readouterr()
    assert "bad.mp4: file is empty" in printed.err
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    assert "network MB ms/clip quartiles CPU ms x eager max diff top-1" in lines
    assert any(line.startswith("net.pt2 ") and line.endswith("100%") for line in lines)
    assert any(line.startswith("foreign.onnx: ") and "is no ONNX file" in line for line in lines)
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--rounds", "0"], "--rounds must be > 0, got 0"),
        (["gone.onnx"], "no such file or folder: gone.onnx"),
    ],
)
def test_wrong_options(videogn, capsys, checkpoint, options, expected):
    assert videogn("bench", "export", checkpoint, *options) == 2
    assert expected in capsys.readouterr().err
