"""The rate of clips, --data.fps and --fps, from training over testing to prediction."""

from __future__ import annotations

import json

import pytest
import torch
from rate_files import write_scene
from training import SMALL, evaluation_arguments, fit_arguments

from videogn.inference import Predictor
from videogn.models.fit_checkpoint import read_fit_checkpoint


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("scene"))


def test_a_checkpoint_remembers_its_rate(videogn, capsys, motion, tmp_path, scene):
    """A test and a prediction take clips at it, unless told otherwise; training goes on at no other."""
    assert videogn(*fit_arguments(motion, tmp_path, "--data.fps=10")) == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    assert read_fit_checkpoint(checkpoint)["hyper_parameters"]["fps"] == 10

    for given, rate in (([], 10), (["--data.fps=5"], 5)):
        out = tmp_path / str(rate)
        assert videogn(*evaluation_arguments("test", motion, out, checkpoint, *given)) == 0
        results = json.loads((out / "results.json").read_text())
        assert (results["protocol"]["fps"], results["model"]["fps"]) == (rate, rate)
        assert results["counts"]["evaluated"] == 16

    def predicted(*options):
        capsys.readouterr()
        assert videogn("predict", scene["60", "mp4"], "--checkpoint", checkpoint, "--format=json", *options) == 0
        return json.loads(capsys.readouterr().out)[0]["predictions"]

    assert predicted() == predicted("--fps=10") != predicted("--fps=60")

    assert videogn(*fit_arguments(motion, tmp_path, "--data.fps=5", f"--ckpt_path={checkpoint}")) == 2
    assert "data.fps is 5.0, but" in (line := capsys.readouterr().err.splitlines()[-1])
    assert "was trained with 10.0; leave it out" in line


def test_a_checkpoint_from_before_the_option(videogn, capsys, motion, trained, tmp_path):
    """It was trained on every frame: so it is tested, and trained on; a test may still take another rate."""
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["hyper_parameters"].pop("fps") is None
    old = tmp_path / "old.ckpt"
    torch.save(content, old)
    Predictor(old, device="cpu", time_limit=0)
    for given, rate in (([], None), (["--data.fps=12.5"], 12.5)):
        out = tmp_path / str(rate)
        assert videogn(*evaluation_arguments("test", motion, out, old, *given)) == 0
        assert json.loads((out / "results.json").read_text())["protocol"].get("fps") == rate
    capsys.readouterr()
    assert videogn(*fit_arguments(motion, tmp_path, "--data.fps=30", f"--ckpt_path={old}")) == 2
    assert "was trained with none; leave it out" in capsys.readouterr().err


def test_a_predictor_shows_the_same_of_every_file(trained, scene):
    """One scene at three rates: at one rate of clips the scores are nearly equal, and by frames they are not."""
    paths = [scene[name, "mp4"] for name in ("25", "30", "60")]

    def spread(fps):
        predictor = Predictor(trained / "checkpoints" / "last.ckpt", fps=fps, num_clips=2, device="cpu", time_limit=0)
        found = [dict(prediction.scores) for prediction in predictor.predict(paths, top_k=8)]
        scores = torch.tensor([[each[name] for name in predictor.class_names] for each in found])
        return float((scores.max(dim=0).values - scores.min(dim=0).values).max())

    assert spread(10) < spread(None) / 3


@pytest.mark.parametrize("name", ["10", "25", "60"])
def test_explain(videogn, capsys, scene, name, tmp_path):
    """Times are the file's; the frames are those nearest to the times of 30 per second."""
    view = ("--clip-length=4", "--interval=5", "--short-side=32", "--crop-size=32", "--clips=2")
    out = tmp_path / "a.png"
    assert videogn("data", "explain", scene[name, "mkv"], *view, "--fps=30", "--json", "--out", out) == 0
    clips = json.loads(capsys.readouterr().out)["clips"]
    assert [clip["start_s"] for clip in clips] == pytest.approx([0, 1], abs=0.002)
    assert [clip["end_s"] for clip in clips] == pytest.approx([0.5, 1.5], abs=0.021)
    assert clips[0]["indices"][0] == 0
    assert clips[0]["end"] == int(name) // 2
    assert videogn("data", "explain", scene[name, "mkv"], *view, "--fps=30", "--out", out) == 0
    assert "Clips at 30 frames per second" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "words"), [("0", "fps must be > 0 and <= 1000, got 0.0"), ("2000", "got 2000.0")])
def test_a_wrong_rate_is_one_line(videogn, capsys, motion, trained, tmp_path, scene, value, words):
    video, checkpoint = scene["10", "mp4"], trained / "checkpoints" / "last.ckpt"
    for command in (
        ("fit", *SMALL, f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}", f"--data.fps={value}"),
        ("predict", video, "--checkpoint", checkpoint, "--fps", value),
        ("data", "explain", video, "--fps", value, "--out", tmp_path / "a.png"),
    ):
        assert videogn(*command) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed set")]
        assert line.startswith("videogn: error: ")
        assert words in line
