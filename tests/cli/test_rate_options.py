"""The rate of clips, --data.fps and --fps, from training over testing to prediction."""

from __future__ import annotations

import json

import pytest
import torch
from rate_files import write_scene
from training import SMALL, evaluation_arguments, fit_arguments

from videogn.choices import EvaluationViews
from videogn.data.plans import evaluation_plan
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

    for given, rate in (([], 10), (["--data.fps=5"], 5), (["--data.fps=0"], None)):
        out = tmp_path / str(rate)
        assert videogn(*evaluation_arguments("test", motion, out, checkpoint, *given)) == 0
        results = json.loads((out / "results.json").read_text())
        assert (results["protocol"].get("fps"), results["model"]["fps"]) == (rate, rate)
        assert results["counts"]["evaluated"] == 16

    def predicted(*options):
        capsys.readouterr()
        assert videogn("predict", scene["60", "mp4"], "--checkpoint", checkpoint, "--format=json", *options) == 0
        return json.loads(capsys.readouterr().out)[0]["predictions"]

    assert predicted() == predicted("--fps=10") != predicted("--fps=60")
    assert predicted("--fps=0") == predicted("--fps=60")  # the frames of the file
    given = {"num_clips": 10, "device": "cpu", "time_limit": 0}
    by_frames = next(Predictor(checkpoint, fps=0, **given).predict(scene["60", "mp4"])).scores
    assert [score for _, score in by_frames] == pytest.approx([each["score"] for each in predicted("--fps=0")])

    for rate in ("5", "0"):
        assert videogn(*fit_arguments(motion, tmp_path, f"--data.fps={rate}", f"--ckpt_path={checkpoint}")) == 2
        assert f"data.fps is {rate}.0, but" in (line := capsys.readouterr().err.splitlines()[-1])
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


def test_0_is_the_frames_of_the_file(videogn, capsys, motion, trained, tmp_path, scene):
    """In training as in a test: nothing of a rate is kept, and a training run without one goes on with it."""
    views = EvaluationViews(fps=0)
    assert views == EvaluationViews()
    assert (views.fps, evaluation_plan(views).fps) == (None, None)
    checkpoint = trained / "checkpoints" / "last.ckpt"
    resumed = ("--data.fps=0", f"--ckpt_path={checkpoint}", "--trainer.max_epochs=2")
    assert videogn(*fit_arguments(motion, tmp_path, *resumed)) == 0
    assert "frames per second" not in capsys.readouterr().err
    assert read_fit_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["hyper_parameters"]["fps"] is None
    options = ("--clip-length=4", "--interval=5", "--clips=2", "--json", "--out", tmp_path / "a.png")
    found = []
    for given in ([], ["--fps=0"]):
        capsys.readouterr()
        assert videogn("data", "explain", scene["60", "mp4"], *options, *given) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[1]["rate"] is None


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


@pytest.mark.parametrize("value", ["-1", "2000"])
def test_a_wrong_rate_is_one_line(videogn, capsys, motion, trained, tmp_path, scene, value):
    video, checkpoint = scene["10", "mp4"], trained / "checkpoints" / "last.ckpt"
    rate = f"--fps={value}"
    for command in (
        ("fit", *SMALL, f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}", f"--data.fps={value}"),
        ("predict", video, "--checkpoint", checkpoint, rate),
        ("data", "explain", video, rate, "--out", tmp_path / "a.png"),
        ("bench", "data", video, rate),
    ):
        assert videogn(*command) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed set")]
        option = "--data.fps" if command[0] == "fit" else "--fps"
        wrong = f"{option} must be >= 0 (0: every frame of the video) and <= 1000, got {value}"
        assert line == f"videogn: error: {wrong}"
    with pytest.raises(ValueError, match=r"^fps must be >= 0 "):
        Predictor(checkpoint, fps=float(value), device="cpu", time_limit=0)
