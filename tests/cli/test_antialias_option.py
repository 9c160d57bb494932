"""--data.antialias, from training over testing to prediction."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from training import evaluation_arguments, fit_arguments

from videogn.axes import VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.plans import centre_plan, evaluation_plan, training_plan
from videogn.data.sample import load_sample
from videogn.inference import Predictor
from videogn.models.fit_checkpoint import read_fit_checkpoint
from videogn.video.decoders.decode import decode_frames
from videogn.video.encode import write_video


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """12 frames of 96 x 128 noise, which shrink to 32 x 43."""
    path = tmp_path_factory.mktemp("noise") / "a.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), dtype=np.uint8))
    return str(path)


@pytest.mark.parametrize("kind", ["training", "centre", "test"])
def test_all_plans_have_it(noise, kind):
    """What a network sees is torch's plain interpolation of the whole frames, cut; with antialiasing it is not."""
    size = {"clip_length": 4, "interval": 2, "short_side": 32, "crop_size": 24}

    def plan(**options):
        if kind == "training":
            return training_plan(NetworkInput(**size, **options), short_sides=(32, 32), flip=0)
        return centre_plan(NetworkInput(**size, **options)) if kind == "centre" else full(**options)

    def full(**options):
        return evaluation_plan(EvaluationViews(**size, num_clips=2, crops="full", **options))

    def load(plan):
        sample = load_sample(VideoRecord(noise, 0), 0, plan, decoder="pyav", rng=np.random.default_rng(3))
        return sample, sample.frames.double()

    rng = np.random.default_rng(3)
    aliased = plan(antialias=False)
    indices = aliased.clips(12, rng, 30)
    _, resized, (crop,) = aliased.layout(96, 128, rng)
    assert resized == (32, 43)
    frames = torch.from_numpy(decode_frames(noise, np.unique(indices), "pyav")).permute(0, 3, 1, 2).double()
    whole = torch.nn.functional.interpolate(frames, (32, 43), mode="bilinear", align_corners=False)
    wanted = crop.cut(whole.permute(0, 2, 3, 1))
    sample, ours = load(aliased)
    assert sample.error is None
    assert (ours - wanted).abs().max() <= 4.5
    smooth = load(plan())[1]
    assert (smooth - wanted).abs().mean() > 10
    assert torch.equal(smooth, load(plan(antialias=True))[1])


def test_a_checkpoint_remembers_it(videogn, capsys, motion, tmp_path, noise):
    """A test and a prediction keep to it, unless told otherwise; training goes on with nothing else."""
    assert videogn(*fit_arguments(motion, tmp_path, "--data.antialias=false")) == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    assert read_fit_checkpoint(checkpoint)["hyper_parameters"]["antialias"] is False

    for given, shown in (([], False), (["--data.antialias=true"], None)):
        out = tmp_path / str(shown)
        assert videogn(*evaluation_arguments("test", motion, out, checkpoint, *given)) == 0
        results = json.loads((out / "results.json").read_text())
        assert results["protocol"].get("antialias") is shown
        assert results["model"]["antialias"] is (shown is None)

    def scores(**options):
        (found,) = Predictor(checkpoint, num_clips=1, device="cpu", time_limit=0, **options).predict(noise, top_k=8)
        return found.scores

    assert scores() == scores(antialias=False) != scores(antialias=True)

    capsys.readouterr()
    assert videogn(*fit_arguments(motion, tmp_path, "--data.antialias=true", f"--ckpt_path={checkpoint}")) == 2
    assert "data.antialias is True, but" in (line := capsys.readouterr().err.splitlines()[-1])
    assert "was trained with False; leave it out" in line


def test_a_checkpoint_from_before_the_option(videogn, motion, trained, tmp_path, noise):
    """Its frames were antialiased: so it is tested."""
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["hyper_parameters"].pop("antialias") is True
    old = tmp_path / "old.ckpt"
    torch.save(content, old)
    for given, shown in (([], None), (["--data.antialias=false"], False)):
        out = tmp_path / str(shown)
        assert videogn(*evaluation_arguments("test", motion, out, old, *given)) == 0
        assert json.loads((out / "results.json").read_text())["protocol"].get("antialias") is shown
    (first,), (second,) = (
        Predictor(path, device="cpu", time_limit=0).predict(noise)
        for path in (old, trained / "checkpoints" / "last.ckpt")
    )
    assert first.scores == second.scores
