"""videogn bench export: one row a variant, and a reason in place of what cannot be measured."""

from __future__ import annotations

import json

import pytest
import torch

from videogn.exporting.export import export
from videogn.exporting.int8 import export_int8


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch):
    """Compiling takes longer than all the rest, and not every machine can."""

    def no_compiler(net):
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch, "compile", no_compiler)


def test_all_formats(videogn, capsys, trained, monkeypatch):
    pytest.importorskip("onnxscript")
    written = []
    monkeypatch.setattr("videogn.exporting.export.export", lambda *given: written.append(given[1]) or export(*given))
    monkeypatch.setattr(
        "videogn.exporting.int8.export_int8", lambda *given: written.append(f"{given[1]}, int8") or export_int8(*given)
    )
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert videogn("bench", "export", checkpoint, "--clips", "2", "--rounds", "2", "--threads", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["variants"]}
    assert list(rows)[:3] == ["eager", "channels last", "compiled"]
    assert rows["compiled"]["error"] == "no C++ compiler"
    assert set(written) == set(rows) - {"eager", "channels last", "compiled"}
    assert {"torch-export", "onnx", "onnx, int8"} <= set(written)
    for name in ("channels last", "torch-export", "onnx"):
        assert rows[name]["measured"]["difference"] < 1e-4
        assert rows[name]["measured"]["agreement"] == 1
    assert rows["onnx, int8"]["measured"]["bytes"] < rows["onnx"]["measured"]["bytes"]
    assert found["clip"] == [1, 3, 4, 32, 32]
    assert found["threads"] == 1


def test_files_and_videos(videogn, capsys, monkeypatch, motion, trained, tmp_path):
    """The table fits a terminal of 80 columns."""
    checkpoint, out = trained / "checkpoints" / "last.ckpt", tmp_path / "net.pt2"
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
def test_wrong_options(videogn, capsys, trained, options, expected):
    assert videogn("bench", "export", trained / "checkpoints" / "last.ckpt", *options) == 2
    assert expected in capsys.readouterr().err
