"""The smallest clips of a network, and the pool window that smaller ones need."""

from __future__ import annotations

import pytest
import torch
from video_networks import AS_A_WHOLE

from videogn.choices import EvaluationViews
from videogn.models import MODELS
from videogn.models.input_size import InputSize, Layer, check_input, check_views
from videogn.training.task import VideoClassifier


@pytest.mark.parametrize("window", [(4, 7, 7), (None, 7, 7), (2, 3, 1)])
def test_the_window_is_the_largest_that_fits(window):
    """Every one up to the window is tried."""
    layers = (
        Layer((3, 7, 7), (1, 2, 2), (1, 3, 3)),
        Layer((2, 3, 3), (2, 2, 2)),
        Layer((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    )
    for size in [(frames, side, side + 5) for frames in (1, 2, 5, 9) for side in range(1, 90, 7)]:
        found = InputSize(layers, window).fitting_window(size)
        smallest = InputSize(layers, tuple(None if each is None else 1 for each in window))
        assert (found is None) == (not smallest.takes(size))
        if found is None:
            continue
        assert InputSize(layers, found).takes(size)
        for axis, (wanted, fits) in enumerate(zip(window, found, strict=True)):
            if wanted is None:
                assert fits is None
            elif fits is not None and fits < wanted:
                larger = tuple(fits + 1 if other == axis else each for other, each in enumerate(found))
                assert not InputSize(layers, larger).takes(size)


@pytest.mark.parametrize(
    ("arch", "clip_length", "crop_size", "message"),
    [
        ("i3d_r50_8x8", 8, 112, r"crop_size must be >= 193, got 112: .*pool_window \[4, 7, 7\].*\[null, 4, 4\]\}'$"),
        ("i3d_r50_8x8", 32, 112, r"crop_size must be >= 193, got 112: .*'\{pool_window: \[4, 4, 4\]\}'$"),
        ("i3d_r50_8x8", 4, 224, r"clip_length must be >= 8, got 4: .*'\{pool_window: \[null, 7, 7\]\}'$"),
        ("i3d_r50", 32, 112, r"crop_size must be >= 197, got 112: .*'\{pool_window: \[null, 4, 4\]\}'$"),
        ("i3d_r50", 4, 224, r"clip_length must be >= 7, got 4: the network leaves nothing of"),
        ("i3d_r50", 32, 4, r"crop_size must be >= 197, got 4: the network leaves nothing of"),
        ("slowfast_r50", 30, 224, r"clip_length must be a multiple of 4 for this network, got 30$"),
        ("slowfast_r50", 16, 224, r"clip_length must be >= 32, got 16: .*'\{pool_window: \[null, 7, 7\]\}'$"),
        ("s3d", 8, 224, r"clip_length must be >= 14, got 8: the network needs 14 x 224 x 224$"),
        ("s3d", 8, 112, r"crop_size must be >= 224, got 112: "),
        ("mvit_v2_s", 32, 224, r"clip_length must be 16, got 32: .* clips of T x H x W = 16 x 224 x 224 only$"),
        ("mvit_v1_b", 16, 256, r"crop_size must be 224, got 256: "),
        ("mvit_base_32x3", 16, 224, r"clip_length must be 32, got 16: "),
    ],
)
def test_the_message(arch, clip_length, crop_size, message):
    with torch.device("meta"):
        net = MODELS[arch]()
    with pytest.raises(ValueError, match=message):
        check_input(net, clip_length, crop_size)


@pytest.mark.parametrize("arch", [name for name in MODELS if name not in AS_A_WHOLE])
def test_what_is_large_enough(arch):
    with torch.device("meta"):
        net = MODELS[arch]()
    check_input(net, net.minimum[0], net.minimum[1])


@pytest.mark.parametrize(("arch", "clip_length", "side"), [("s3d", 14, 224), ("s3d", 128, 256), ("mvit_v2_s", 16, 224)])
def test_what_a_whole_network_takes(arch, clip_length, side):
    with torch.device("meta"):
        net = MODELS[arch]()
        assert net(torch.empty(1, 3, clip_length, side, side)).shape == (1, 400)
    check_input(net, clip_length, side)


@pytest.mark.parametrize(
    ("arch", "views", "message"),
    [
        ("mvit_v2_s", {"crops": "full"}, r"crops must be center or three_crop, got full: "),
        ("mvit_v2_s", {"crops": "three_crop"}, r"short_side must be 224, got 256: "),
        ("mvit_v2_s", {"crops": "three_crop", "short_side": 224}, None),
        ("mvit_v2_s", {"crops": "center"}, None),
        ("s3d", {"crops": "full", "short_side": 200}, r"short_side must be >= 224, got 200: "),
        ("s3d", {"crops": "full"}, None),
        ("i3d_r50_8x8", {"crops": "full", "short_side": 128}, r"short_side must be >= 193, got 128: .*\[4, 4, 4\]"),
        ("r3d_18", {"crops": "full", "short_side": 64, "clip_length": 1}, None),
    ],
)
def test_the_views_of_a_test(arch, views, message):
    with torch.device("meta"):
        net = MODELS[arch]()
    views = EvaluationViews(**{"clip_length": 16, **views})
    if message is None:
        check_views(net, views)
    else:
        with pytest.raises(ValueError, match=f"^{message}"):
            check_views(net, views)


def test_commands_refuse_before_a_video_is_read(videogn, capsys, tmp_path, motion):
    """In one line: fit, test and plan of a network of torchvision."""
    folders = (f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}")
    asked = ("--model.arch=mvit_v2_s", "--model.norm=ln")
    assert videogn("fit", *folders, *asked) == 2
    assert "clip_length must be 16, got 32" in capsys.readouterr().err.splitlines()[-1]
    assert videogn("plan", "--model=s3d", "--norm=bn", "--clips=8x8") == 2
    assert "clip_length must be >= 14, got 8" in capsys.readouterr().err.splitlines()[-1]


def test_a_network_that_says_nothing():
    check_input(torch.nn.Identity(), 1, 1)


def test_the_window_that_the_message_names_works():
    window = {"pool_window": [2, 4, 4]}
    options = {"arch": "i3d_tiny", "class_names": ["a", "b"], "clip_length": 2, "crop_size": 64, "short_side": 64}
    with pytest.raises(ValueError, match=r"\{pool_window: \[null, 2, 2\]\}"):
        VideoClassifier(**options, arch_options=window)
    task = VideoClassifier(**options, arch_options={"pool_window": [None, 2, 2]})
    assert task(torch.zeros(1, 3, 2, 64, 64)).shape == (1, 2, 1, 1, 1)
