"""videogn test and predict with an exported file in place of the checkpoint that it was made of."""

from __future__ import annotations

import hashlib
import json

import pyarrow.parquet
import pytest
from training import SMALL, evaluation_arguments

from videogn.exporting.export import export
from videogn.training.verification import verify_results


@pytest.fixture(scope="module")
def engine(trained, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path_factory.mktemp("exported") / "net.onnx"
    export(trained / "checkpoints" / "last.ckpt", "onnx", out)
    return out


#: A checkpoint would be run in bfloat16 where the processor computes in it, a file is not.
_AS_EXPORTED = ("--format", "json", "--device", "cpu", "--precision", "32")


def _arguments(command, motion, out, engine, *more):
    checkpoint = evaluation_arguments(command, motion, out, "x", *more)
    return [f"--engine-file={engine}" if argument == "--ckpt_path=x" else argument for argument in checkpoint]


def test_the_results_are_those_of_the_checkpoint(videogn, motion, trained, engine, tmp_path):
    """Accuracies, counts, protocol and probabilities; and they name the file."""
    found = {}
    for name, arguments in (
        ("checkpoint", evaluation_arguments("test", motion, tmp_path / "a", trained / "checkpoints" / "last.ckpt")),
        ("engine", _arguments("test", motion, tmp_path / "b", engine)),
    ):
        assert videogn(*arguments) == 0
        (path,) = (tmp_path / ("a" if name == "checkpoint" else "b")).rglob("results.json")
        table = pyarrow.parquet.read_table(path.with_name("predictions.parquet"))
        found[name] = json.loads(path.read_text()), table.to_pydict()
    (own, own_rows), (exported, rows) = found["checkpoint"], found["engine"]
    accuracies = ("over_all", "over_decodable", "per_clip_top1", "counts", "per_class")
    for key in (*accuracies, "protocol", "model", "index_sha256"):
        assert exported[key] == own[key], key
    assert exported["checkpoint"] is None
    assert exported["engine"]["format"] == "onnx"
    assert exported["engine"]["file"] == str(engine)
    assert exported["engine"]["sha256"] == hashlib.sha256(engine.read_bytes()).hexdigest()
    assert "engine" not in own
    for column, values in rows.items():
        if column.startswith("score"):
            assert values == pytest.approx(own_rows[column], abs=1e-5)
        else:
            assert values == own_rows[column], column
    assert verify_results(path.parent, workers=0).verified
    exported["engine"]["sha256"] = "0" * 64
    path.write_text(json.dumps(exported))
    (difference,) = verify_results(path.parent, workers=0, checkpoint=str(engine)).differences
    assert difference == f"exported file: {engine} is not the one that was tested"


def test_failures_are_counted(videogn, damaged, engine, tmp_path):
    arguments = _arguments("test", damaged, tmp_path, engine, f"--data.test={damaged / 'train'}")
    assert videogn(*arguments) == 1
    (path,) = tmp_path.rglob("results.json")
    assert json.loads(path.read_text())["counts"]["failed"] == 3


def test_predict(videogn, capsys, motion, trained, engine):
    videos = sorted((motion / "val").rglob("*.mp4"))[:2]
    scores = []
    for source in (trained / "checkpoints" / "last.ckpt", engine):
        assert videogn("predict", *videos, "--checkpoint", source, *_AS_EXPORTED) == 0
        rows = json.loads(capsys.readouterr().out)
        scores.append([each["score"] for row in rows for each in sorted(row["predictions"], key=lambda p: p["label"])])
    assert scores[1] == pytest.approx(scores[0], abs=1e-5)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--ckpt_path=last.ckpt"], "are two networks: name one"),
        (["--model.arch=i3d_r50"], "model.arch is i3d_r50, but"),
        (["--model.norm=bn"], "was exported with gn; leave it out"),
        (["--model.clip_length=8"], "model.clip_length is 8, but"),
        (["--model.compile=true"], "runs as it was exported; leave it out"),
        (["--model.memory_format=channels_last"], "model.memory_format is channels_last, but"),
        (["--model.group_norm=triton"], "model.group_norm is triton, but"),
    ],
)
def test_settings_that_contradict_the_file(videogn, capsys, motion, engine, tmp_path, more, expected):
    assert videogn(*_arguments("test", motion, tmp_path, engine, *more)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("videogn: error: ")
    assert expected in line
    assert "init_from" not in line


def test_it_is_not_trained(videogn, capsys, motion, engine, tmp_path):
    assert videogn("fit", *SMALL, f"--data.root={motion}", f"--model.engine_file={engine}") == 2
    assert "an exported file can only be tested" in capsys.readouterr().err.splitlines()[-1]
