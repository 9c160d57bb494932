"""What is known about published networks, against what their packages say."""

from __future__ import annotations

import json
import re

import pytest
import pytorchvideo.models.hub as hub
import torchvision
from released_networks import write
from torchvision.models import video

from videogn.models import MODELS
from videogn.models.network_sources import kinetics400_classes, published_network

WEIGHTS = [str(entry) for kind in vars(video) if kind.endswith("_Weights") for entry in getattr(video, kind)]
ZOO = ["i3d_r50", *(name for name in MODELS if hasattr(hub, name) and name != "i3d_r50")]


def test_the_classes_are_those_of_torchvision_in_alphabetical_order():
    names = kinetics400_classes()
    assert list(names) == sorted(names)
    for name in WEIGHTS:
        assert tuple(torchvision.models.get_weight(name).meta["categories"]) == names


@pytest.mark.parametrize("name", WEIGHTS)
def test_torchvision_says_the_same_of_its_networks(name):
    """Its documentation states how the accuracy was measured, its preset what a frame is made into."""
    weights = torchvision.models.get_weight(name)
    network = published_network(f"torchvision:{name}")
    views, preset = network.views, weights.transforms()
    said = dict(re.findall(r"`(\w+)=([\d.]+)`", weights.meta["_docs"]))
    assert (views.fps, views.num_clips, views.clip_length) == tuple(
        float(said[key]) for key in ("frame_rate", "clips_per_video", "clip_len")
    )
    assert views.interval == 1
    assert [views.crop_size] * 2 == preset.crop_size
    assert views.short_side == min(preset.resize_size)
    assert views.crops == "center"
    assert getattr(torchvision.models.video, network.arch)
    assert network.arch in MODELS


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_says_the_same_of_its_networks(name):
    """Files are named for their clips, and so is the documentation of X3D (frames x interval as in the model zoo)."""
    network = published_network(f"zoo:{name}")
    module = __import__(getattr(hub, name).__module__, fromlist=["checkpoint_paths"])
    stated = re.search(r"_(\d+)x(\d+)_", module.checkpoint_paths[name])
    other = {"x3d_xs": (4, 12), "x3d_s": (13, 6), "x3d_m": (16, 5), "x3d_l": (16, 5)}
    other |= {"mvit_base_16x4": (16, 4), "slowfast_r50": (32, 2)}  # slow pathway: 8x8, which its file is named for
    wanted = other.get(name) or tuple(map(int, stated.groups()))
    assert (network.views.clip_length, network.views.interval) == wanted
    assert network.arch in MODELS
    views = network.views
    if name.startswith("mvit"):
        assert (views.protocol, views.crops, views.num_clips) == ("slowfast_offset", "center", 5)
        assert (views.crop_size, views.short_side, network.norm) == (224, 256, "ln")
    else:
        assert (views.protocol, views.crops, views.num_clips) == ("slowfast", "three_crop", 10)
        assert (views.crop_size, network.norm) == (views.short_side, "bn")


def test_the_zoos_own_order_of_classes(downloads):
    """As its file has it: names with a space in literal quotes, numbers in any order."""
    names = kinetics400_classes()[::-1]
    content = {f'"{name}"' if " " in name else name: number for number, name in enumerate(names)}
    (downloads / "kinetics_classnames.json").write_text(json.dumps(dict(sorted(content.items()))))
    assert published_network("zoo:x3d_s").class_names == names
    weights = "torchvision:R3D_18_Weights.KINETICS400_V1"
    assert published_network(weights).class_names == kinetics400_classes()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "is no list of classes"), ("[1]", "is no list of classes"), ('{"a": 0, "b": 2}', "must number 400 classes")],
)
def test_a_wrong_list_of_classes(downloads, text, reason):
    (downloads / "kinetics_classnames.json").write_text(text)
    with pytest.raises(ValueError, match=f"kinetics_classnames.json {reason}"):
        published_network("zoo:x3d_s")


@pytest.mark.parametrize(
    ("file", "arch", "norm", "clips"),
    [
        ("i3d_baseline_32x2_IN_pretrain_400k.pkl", "i3d_r50", "bn", (32, 2)),
        ("i3d_baseline_8x8_IN_pretrain_400k.pkl", "i3d_r50_8x8_unpadded", "bn", (8, 8)),
        ("i3d_baseline_32x4_I3D_pretrain_400k.pkl", "i3d_r50_8x8_unpadded", "frozen_bn", (32, 4)),
        ("i3d_baseline_128x1_I3D_pretrain_400k.pkl", "i3d_r50", "frozen_bn", (128, 1)),
    ],
)
def test_the_non_local_release_by_the_names_of_its_files(tmp_path, file, arch, norm, clips):
    network = published_network(f"nonlocal:{write(tmp_path / file, {})}")
    views = network.views
    assert (network.arch, network.norm, (views.clip_length, views.interval)) == (arch, norm, clips)
    assert (views.protocol, views.crops, views.num_clips, views.crop_size) == ("nonlocal", "three_crop", 10, 256)


@pytest.mark.parametrize("source", ["last.ckpt", "C:\\runs\\last.ckpt", "runs/zoo.ckpt", "timm:resnet50"])
def test_other_words_are_no_published_networks(source):
    assert published_network(source) is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("zoo:x3d_z", "zoo must be one of i3d_r50, .*got 'x3d_z'; did you mean 'x3d_"),
        ("zoo:slow_r50_detection", "zoo must be one of"),
        (
            "torchvision:R3D_18_Weights.KINETICS400_V2",
            "knows no weights .*did you mean 'R3D_18_Weights.KINETICS400_V1'",
        ),
        ("torchvision:r3d_18", "knows no weights 'r3d_18'; their names are like R3D_18_Weights.KINETICS400_V1"),
        ("torchvision:ResNet50_Weights.IMAGENET1K_V1", "is no video network, at most weights to start from"),
        ("torchvision:R3D18_Weights.KINETICS400_V1", "networks are r3d_18, .*; did you mean 'r3d_18'"),
        (f"nonlocal:{__file__}", "does not say which clips .* keep the name of the release"),
        ("nonlocal:/i3d_baseline_8x8.pkl", r"no such .*dl\.fbaipublicfiles\.com/video-nonlocal/i3d_baseline_8x8\.pkl$"),
    ],
)
def test_names_that_do_not_exist(source, reason):
    with pytest.raises((ValueError, FileNotFoundError), match=reason) as error:
        published_network(source)
    assert "\n" not in str(error.value)
