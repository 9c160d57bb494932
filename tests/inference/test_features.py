"""Features are what the classifier gets: its weights turn them into the network's own logits."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from videogn.evaluation.views import score_views
from videogn.inference import Predictor
from videogn.inference.features import ClipFeatures
from videogn.models import make_model
from videogn.models.head import classifier_of

#: Network, norm, size of a cheap clip, number of features (those of the papers and packages).
NETWORKS = [
    ("i3d_r50", "gn", (8, 64, 64), 2048),
    ("i3d_tiny", "gn", (4, 32, 32), 512),
    ("i3d_r18", "gn", (8, 64, 64), 512),
    ("x3d_xs", "bn", (4, 160, 160), 2048),
    ("r3d_18", "bn", (4, 32, 32), 512),
    ("s3d", "bn", (14, 224, 224), 1024),
    ("mvit_v1_b", "ln", (16, 224, 224), 768),
    ("swin3d_t", "ln", (4, 32, 32), 768),
]
DEAR = ("s3d", "mvit_v1_b", "swin3d_t", "x3d_xs")


@pytest.mark.parametrize(
    ("arch", "norm", "size", "features"),
    [pytest.param(*each, marks=pytest.mark.slow) if each[0] in DEAR else each for each in NETWORKS],
)
def test_the_classifier_makes_the_logits_of_them(arch, norm, size, features):
    """In networks whose logits are an affine function of the mean over positions, the classifier of the mean."""
    torch.manual_seed(0)
    options = {"pool_window": (None, None, None)} if arch.startswith("i3d") else None
    net = make_model(arch, 5, norm, arch_options=options).eval()
    of_views = ClipFeatures(net, 5)
    clips = torch.randn(1 if size[1] == 224 else 2, 3, *size)
    with torch.inference_mode():
        found = of_views(net, list(clips.split(1)), 1)
        layer, _, size_of_features = classifier_of(net, 5)
        logits = net(clips).flatten(2).mean(2)
        made = F.linear(found, layer.weight.flatten(1), layer.bias)
    assert found.dtype == torch.float32
    assert found.shape == (len(clips), features)
    assert size_of_features == features
    torch.testing.assert_close(made, logits, rtol=1e-4, atol=1e-4)


def test_positions_and_crops_are_averaged():
    """Against the layers of the network, in the order of its definition."""
    torch.manual_seed(0)
    net = make_model("i3d_tiny", 5, "gn", arch_options={"pool_window": (None, 2, 2)}).eval()
    views = torch.randn(4, 3, 4, 96, 96)  # two clips of two crops
    with torch.inference_mode():
        x = views
        for block in list(net.blocks)[:-1]:
            x = block(x)
        wanted = net.blocks[-1].pool(x).double().mean(dim=(2, 3, 4)).unflatten(0, (2, 2)).mean(1)
        found = ClipFeatures(net, 5)(net, [views[:3], views[3:]], 2)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    assert not any(module._forward_pre_hooks for module in net.blocks[-1].modules())
    score_views(net, [views], 2)  # and it still classifies


def test_clips_that_another_thread_classifies_are_not_among_them():
    net = make_model("i3d_tiny", 5, "gn").eval()
    views = torch.randn(2, 3, 4, 32, 32)

    def interrupted(clips):
        other = threading.Thread(target=score_views, args=(net, [views], 1))
        other.start()
        other.join()
        return net(clips)

    with torch.inference_mode():
        found = ClipFeatures(net, 5)(interrupted, [views[:1]], 1)
        assert torch.equal(found, ClipFeatures(net, 5)(net, [views[:1]], 1))


def test_features_that_are_not_finite_are_refused():
    net = make_model("i3d_tiny", 5, "gn").eval()
    with torch.inference_mode(), pytest.raises(ValueError, match="features that are not finite"):
        ClipFeatures(net, 5)(net, [torch.full((1, 3, 4, 32, 32), float("nan"))], 1)


@pytest.mark.parametrize(
    ("net", "last"),
    [
        (torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.LayerNorm(5)), "1"),
        (torch.nn.Sequential(torch.nn.Conv3d(3, 5, 3)), "0"),
        (torch.nn.Sequential(torch.nn.Linear(4, 6)), "0"),
    ],
)
def test_a_network_without_a_classifier_at_its_end_has_none(net, last):
    with pytest.raises(ValueError, match=f"the last layer of this network, {last}, is no classifier of 5 classes"):
        classifier_of(net, 5)


def test_a_network_without_layers_has_none():
    with pytest.raises(ValueError, match="shows no layers, as an exported one"):
        classifier_of(torch.nn.Identity(), 5)


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor(trained / "checkpoints" / "last.ckpt", num_clips=3, device="cpu", time_limit=0, precision="32")


def test_features_of_files(predictor, motion, tmp_path):
    paths = sorted(motion.glob("val/contract/*.mp4"))[:2]
    found = list(predictor.features([paths[0], tmp_path / "nowhere.mp4", paths[1]], batch_clips=6))
    assert [each.path for each in found] == [str(paths[0]), str(tmp_path / "nowhere.mp4"), str(paths[1])]
    assert [each.error for each in found] == [None, "file not found", None]
    assert found[1].features is None
    predictions = list(predictor.predict(paths, top_k=8))
    layer = classifier_of(predictor._net, 8).layer
    for each, prediction in zip((found[0], found[2]), predictions, strict=True):
        assert each.features.dtype == np.float32
        assert each.clip_times == prediction.clip_times
        with torch.inference_mode():  # the trained network averages all positions before the classifier
            made = layer(torch.from_numpy(each.features)).softmax(1)
        np.testing.assert_allclose(made, prediction.clip_probabilities, atol=1e-5)


def test_features_of_one_video_and_of_a_compiled_network(trained, predictor, motion):
    """Compiled code calls no hooks: the features are those of the layers as they are."""
    path = next(motion.glob("val/contract/*.mp4"))
    (wanted,) = predictor.features(path)
    checkpoint = trained / "checkpoints" / "last.ckpt"
    compiled = Predictor(checkpoint, num_clips=3, device="cpu", time_limit=0, precision="32", compile=True)
    (found,) = compiled.features(path)
    np.testing.assert_array_equal(found.features, wanted.features)
