"""Published networks classify videos: files of the true names and shapes, with random weights."""

from __future__ import annotations

import json

import pytest
import pytorchvideo.models.hub as hub
import torch
from released_networks import released_blobs, released_logits, write
from torchvision.models import get_weight, video
from torchvision.transforms.functional import normalize
from video_networks import as_the_hub_takes, sane

from videogn.inference import Predictor, load_network
from videogn.models.network_sources import kinetics400_classes
from videogn.video.transforms import normalise, view_chunks

#: Source -> size of a cheap clip (T, H, W).
TORCHVISION = {
    "R3D_18_Weights.KINETICS400_V1": (8, 56, 56),
    "MC3_18_Weights.KINETICS400_V1": (4, 56, 56),
    "R2Plus1D_18_Weights.KINETICS400_V1": (4, 56, 56),
    "S3D_Weights.KINETICS400_V1": (14, 224, 224),
    "MViT_V1_B_Weights.KINETICS400_V1": (16, 224, 224),
    "MViT_V2_S_Weights.KINETICS400_V1": (16, 224, 224),
    "Swin3D_T_Weights.KINETICS400_V1": (4, 64, 64),
    "Swin3D_S_Weights.KINETICS400_V1": (4, 64, 64),
    "Swin3D_B_Weights.KINETICS400_V1": (4, 64, 64),
    "Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1": (4, 64, 64),
}
#: The least that their windows ask for, or what they were trained with.
ZOO = {
    "x3d_xs": (4, 160, 160),
    "x3d_s": (13, 160, 160),
    "x3d_m": (16, 193, 193),
    "x3d_l": (16, 289, 289),
    "slow_r50": (8, 193, 193),
    "c2d_r50": (8, 193, 193),
    "i3d_r50": (8, 193, 193),
    "r2plus1d_r50": (13, 193, 193),
    "csn_r101": (25, 193, 193),
    "slowfast_r50": (32, 193, 193),
    "mvit_base_16x4": (16, 224, 224),
    "mvit_base_32x3": (32, 224, 224),
}
_TWO_MORE = ("slowfast_r50", "mvit_base_16x4")


def _dear(names, cheap):
    return [name if name in cheap else pytest.param(name, marks=pytest.mark.slow) for name in names]


def _frames(size):
    """Random pixels (1, T, H, W, 3), uint8."""
    return torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8)


@pytest.mark.parametrize("name", _dear(TORCHVISION, ("R3D_18_Weights.KINETICS400_V1",)))
def test_logits_are_those_of_torchvision(downloads, name):
    weights = get_weight(name)
    source = sane(getattr(video, type(weights).__name__.removesuffix("_Weights").lower())())
    torch.save(source.state_dict(), downloads / weights.url.rpartition("/")[2])
    net, about = load_network(f"torchvision:{name}")
    frames, preset = _frames(TORCHVISION[name]), weights.transforms()
    theirs = normalize(frames.permute(0, 1, 4, 2, 3).float() / 255, preset.mean, preset.std).transpose(1, 2)
    ours = normalise(frames.permute(0, 4, 1, 2, 3), *(torch.tensor(about[key]) for key in ("mean", "std")))
    with torch.inference_mode():
        torch.testing.assert_close(net(ours).flatten(1), source(theirs), rtol=1e-4, atol=1e-4)
    assert about["class_names"] == weights.meta["categories"]
    assert about["fps"] in (7.5, 15)


@pytest.mark.parametrize("name", _dear(ZOO, ("x3d_xs",)))
def test_probabilities_are_those_of_pytorchvideo(downloads, name):
    source = sane(getattr(hub, name)())
    file = __import__(getattr(hub, name).__module__, fromlist=["checkpoint_paths"]).checkpoint_paths[name]
    torch.save({"model_state": source.state_dict()}, downloads / file.rpartition("/")[2])
    net, about = load_network(f"zoo:{name}")
    clips = (_frames(ZOO[name]).permute(0, 4, 1, 2, 3).float() / 255 - 0.45) / 0.225
    with torch.inference_mode():
        logits, wanted = net(clips), source(as_the_hub_takes(name, clips))
    ends_in_softmax = bool(torch.isclose(wanted.sum(), torch.tensor(1.0), atol=1e-4))
    found = (logits.softmax(1) if ends_in_softmax else logits).mean(dim=(2, 3, 4))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (about["mean"], about["std"]) == ((0.45,) * 3, (0.225,) * 3)
    assert tuple(about["class_names"]) == kinetics400_classes()


@pytest.mark.parametrize(
    ("stem", "affine", "size"),
    [("32x2", False, (7, 197, 197)), pytest.param("32x4", True, (2, 197, 197), marks=pytest.mark.slow)],
)
def test_logits_are_those_of_the_non_local_release(tmp_path, stem, affine, size):
    blobs = released_blobs(affine=affine)
    path = write(tmp_path / f"i3d_baseline_{stem}_IN_pretrain_400k.pkl", blobs)
    net, about = load_network(f"nonlocal:{path}")
    clips = torch.randn(1, 3, *size)
    with torch.inference_mode():
        wanted = released_logits(blobs, clips, stem).float()
        torch.testing.assert_close(net(clips), wanted, rtol=1e-4, atol=1e-4)
    assert tuple(about["class_names"]) == kinetics400_classes()


@pytest.fixture
def x3d_s(downloads):
    """The zoo's x3d_s with random weights, its file in place."""
    network = sane(hub.x3d_s())
    torch.save({"model_state": network.state_dict()}, downloads / "X3D_S.pyth")
    return network


def test_a_video_is_classified_as_the_package_would(x3d_s, motion, shown):
    predictor = Predictor("zoo:x3d_s", num_clips=1, device="cpu", time_limit=0, precision="32")
    (prediction,) = predictor.predict(next(motion.glob("val/contract/*.mp4")), top_k=400)
    (sample,) = shown
    assert sample.clips.shape == (1, 13)
    assert [tuple(crop)[2:4] for crop in sample.crops] == [(182, 182)] * 3
    mean, std = torch.full((3,), 0.45), torch.full((3,), 0.225)
    with torch.inference_mode():
        wanted = torch.cat([x3d_s(normalise(views, mean, std)) for views in view_chunks(sample, 3)]).mean(0)
    found = dict(prediction.scores)
    assert [found[name] for name in kinetics400_classes()] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_views_that_a_transformer_does_not_take(videogn, capsys, downloads, motion):
    """In one line and before a video is read, whatever the network sees by default."""
    torch.save({"model_state": hub.mvit_base_16x4().state_dict()}, downloads / "MVIT_B_16x4.pyth")
    path = next(motion.glob("val/contract/*.mp4"))
    assert videogn("predict", path, "--checkpoint=zoo:mvit_base_16x4", "--crops=full") == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].endswith(
        "crops must be center or three_crop, got full: the network takes clips of one size only"
    )
    assert printed.out == ""


def test_options_override_what_the_source_says(x3d_s):
    plan = Predictor("zoo:x3d_s", device="cpu", time_limit=0)._decoding.plan
    assert plan.clips(300, None, 30.0).shape == (10, 13)
    assert len(plan.layout(182, 240, None).crops) == 3
    assert plan.fps is None
    asked = {"num_clips": 2, "protocol": "endpoint", "crops": "center", "fps": 15}
    plan = Predictor("zoo:x3d_s", device="cpu", time_limit=0, **asked)._decoding.plan
    assert plan.clips(300, None, 30.0)[:, 0].tolist() == [0, 300 - 13 * 6]
    assert len(plan.layout(182, 240, None).crops) == 1
    assert plan.fps == 15


@pytest.mark.parametrize("name", ["x3d_s", *(pytest.param(n, marks=pytest.mark.slow) for n in _TWO_MORE)])
def test_one_command(videogn, capsys, downloads, motion, name):
    file = __import__(getattr(hub, name).__module__, fromlist=["checkpoint_paths"]).checkpoint_paths[name]
    torch.save({"model_state": sane(getattr(hub, name)()).state_dict()}, downloads / file.rpartition("/")[2])
    path = next(motion.glob("val/contract/*.mp4"))
    assert videogn("predict", path, f"--checkpoint=zoo:{name}", "--clips=1", "--crops=center", "--format=json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert len(row["predictions"]) == 5
    assert {prediction["label"] for prediction in row["predictions"]} <= set(kinetics400_classes())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("zoo:x3d_m", "zoo:x3d_m could not be fetched: no route to host; download https://dl.fbaipublicfiles.com/"),
        ("nonlocal:i3d_baseline_8x8_IN_pretrain_400k.pkl", "no such file or folder: i3d_baseline_8x8"),
    ],
)
def test_a_missing_file_is_one_line(videogn, capsys, downloads, motion, source, reason):
    path = next(motion.glob("val/contract/*.mp4"))
    assert videogn("predict", path, "--checkpoint", source) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert reason in printed.err.splitlines()[-1]


def test_another_number_of_classes_is_refused(downloads):
    torch.save({"model_state": hub.x3d_xs(model_num_class=7).state_dict()}, downloads / "X3D_XS.pyth")
    with pytest.raises(ValueError, match="zoo:x3d_xs has no classifier of 400 classes"):
        load_network("zoo:x3d_xs")
