"""Inflated networks compute what their 2D sources compute, in the sources' own input convention."""

from __future__ import annotations

import pickle
import re

import pytest
import torch
from image_networks import bn_network, caffe2_blobs, gn_network
from torch import nn
from torch.nn import functional as F

from videogn.models import i3d_r50, i3d_r50_8x8, i3d_tiny, load_weights
from videogn.models.inflation import IMAGENET, InputNormalisation, adapt_stem, inflate
from videogn.video.transforms import normalise

RESNET50 = (3, 4, 6, 3)
#: Module of the I3D -> module of the 2D network with the same output.
STAGES = {
    "blocks.0.conv": "conv1",
    "blocks.0.norm": "bn1",
    "blocks.0.activation": "relu",
    "blocks.0.pool": "maxpool",
    "blocks.1": "layer1",
    "blocks.3": "layer2",
    "blocks.4": "layer3",
    "blocks.5": "layer4",
}


def _pad_time(model, mode):
    """Padding in time by `mode` instead of zeros."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv3d) and layer.padding[0]:
            size = layer.padding[0]
            layer.padding = (0, *layer.padding[1:])
            layer.register_forward_pre_hook(
                lambda _, inputs, size=size: (F.pad(inputs[0], (0, 0, 0, 0, size, size), mode=mode),)
            )


def _outputs(model, names, x):
    """Outputs of the named modules, copied before a ReLU in place changes them."""
    found = {}
    for name in names:
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: found.update({name: output.clone()})
        )
    with torch.no_grad():
        model(x)
    return found


def _assert_equal_stages(model, network, stages, frames):
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    ours = _outputs(model, stages, image.unsqueeze(2).expand(-1, -1, frames, -1, -1))
    theirs = _outputs(network, stages.values(), image)
    for name, other in stages.items():
        wanted = theirs[other].unsqueeze(2).expand_as(ours[name])
        assert wanted.abs().max() > 0.1, name
        torch.testing.assert_close(ours[name], wanted, atol=1e-4, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("mode", ["replicate", "circular"])
@pytest.mark.parametrize(("norm", "make"), [("bn", bn_network), ("gn", gn_network)])
def test_a_still_image_gives_the_2d_networks_features_at_every_stage(tmp_path, norm, make, mode):
    """ResNet-50 of torchvision (BN, evaluation) and timm (GN)."""
    network = make(RESNET50).double()
    torch.save(network.state_dict(), tmp_path / "resnet50.pth")
    model = i3d_r50_8x8(norm=norm, num_classes=5, pool_window=(None, None, None)).double().eval()
    report = load_weights(model, tmp_path / "resnet50.pth")
    assert len(report.inflated) == 53
    _pad_time(model, mode)
    stages = STAGES | ({"blocks.0.activation": "act1"} if norm == "gn" else {})
    _assert_equal_stages(model, network, stages, frames=4)


def test_the_paper_network_equals_the_2d_stem_too(tmp_path):
    """Its unpadded stem pool makes what follows another function."""
    network = gn_network(RESNET50).double()
    torch.save(network.state_dict(), tmp_path / "resnet50.pth")
    model = i3d_r50(num_classes=5, pool_window=(None, None, None)).double().eval()
    load_weights(model, tmp_path / "resnet50.pth")
    _pad_time(model, "replicate")
    stages = {name: STAGES[name] for name in ("blocks.0.conv", "blocks.0.norm")}
    _assert_equal_stages(model, network, stages, frames=8)


def test_zero_padding_in_time_changes_the_ends_of_the_clip_only(tmp_path):
    """What docs/weights.md says of the first convolution: 3/5, 4/5 and 5/5 of the kernel see the clip."""
    network = bn_network()
    torch.save(network.state_dict(), tmp_path / "resnet.pth")
    model = i3d_tiny(norm="bn", width=64).eval()
    load_weights(model, tmp_path / "resnet.pth")
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        ours = model.blocks[0].conv(image.unsqueeze(2).expand(-1, -1, 6, -1, -1))
        theirs = network.conv1(image)
    for frame, part in enumerate((3 / 5, 4 / 5, 1, 1, 4 / 5, 3 / 5)):
        torch.testing.assert_close(ours[:, :, frame], part * theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("time", [1, 3, 5])
def test_inflation_divides_by_time(time):
    kernel = torch.randn(4, 2, 3, 3)
    inflated = inflate(kernel, torch.Size((4, 2, time, 3, 3)))
    torch.testing.assert_close(inflated.sum(2), kernel)
    assert all(torch.equal(inflated[:, :, t], inflated[:, :, 0]) for t in range(time))


@pytest.mark.parametrize("shape", [(4, 2, 3, 3), (4, 2, 3, 1, 3), (5, 2, 3, 3, 3), (4,)])
def test_kernels_that_do_not_fit(shape):
    assert inflate(torch.randn(4, 2, 3, 3), torch.Size(shape)) is None


@pytest.mark.parametrize("std", [None, (0.225, 0.225, 0.225), (0.3, 0.2, 0.1)])
@pytest.mark.parametrize("kind", ["imagenet", "caffe2"])
def test_our_pipeline_feeds_the_network_what_its_source_was_trained_on(tmp_path, kind, std):
    """uint8 frames -> our normalisation with the report's mean and std -> the 2D network's conv1, border included."""
    network = gn_network()
    if kind == "caffe2":
        path = tmp_path / "R-50-GN.pkl"
        path.write_bytes(pickle.dumps({"blobs": caffe2_blobs(network)}, 2))
    else:
        path = tmp_path / "gn.pth"
        torch.save(network.state_dict(), path)
    model = i3d_tiny(norm="gn", norm_options={"groups": 32}, width=64).eval()
    report = load_weights(model, path, std=std)
    _pad_time(model, "replicate")
    frame = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    if kind == "caffe2":
        theirs = frame.flip(1).float() - torch.tensor([102.9801, 115.9465, 122.7717]).view(1, 3, 1, 1)
        weight = network.conv1.weight.flip(1)  # as in the file
    else:
        mean, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        theirs = (frame.float() / 255 - mean) / scale
        weight = network.conv1.weight
    clip = frame.unsqueeze(2).expand(-1, -1, 3, -1, -1)
    with torch.no_grad():
        ours = model.blocks[0].conv(normalise(clip, report.mean, report.std))
        wanted = F.conv2d(theirs, weight, stride=2, padding=3)
    for t in range(3):
        torch.testing.assert_close(ours[:, :, t], wanted, atol=1e-4 * float(wanted.abs().max()), rtol=1e-4)


def test_the_report_says_what_the_input_has_to_be(tmp_path):
    torch.save(bn_network().state_dict(), tmp_path / "bn.pth")
    model = i3d_tiny(norm="bn", width=64)
    report = load_weights(model, tmp_path / "bn.pth")
    assert (report.mean, report.std) == (IMAGENET.mean, IMAGENET.std)
    assert "(0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)" in str(report)
    assert report.notes == []


def test_another_mean_is_noted(tmp_path):
    torch.save(bn_network().state_dict(), tmp_path / "bn.pth")
    report = load_weights(i3d_tiny(norm="bn", width=64), tmp_path / "bn.pth", mean=(0.45, 0.45, 0.45))
    assert report.mean == (0.45, 0.45, 0.45)
    assert "0.45" in report.notes[0]
    assert "0.485" in report.notes[0]


def test_the_sources_own_input_leaves_the_kernel_as_it_was():
    kernel = torch.randn(4, 3, 5, 7, 7)
    assert torch.equal(adapt_stem(kernel, IMAGENET, IMAGENET.std), kernel)
    bgr = InputNormalisation((0.1, 0.2, 0.3), (0.1, 0.2, 0.3), "BGR")
    assert torch.equal(adapt_stem(kernel, bgr, (0.3, 0.2, 0.1)), kernel.flip(1))


def _stem_in_loops(norm, weight, clip):
    """The first outputs of a stem without padding, from the definition: filters changed as the norm's papers say."""
    outputs = []
    for kernel in weight:
        centred = kernel - kernel.mean()
        if norm == "ws+gn":
            kernel = centred / (centred.square().mean() + 1e-5).sqrt()
        elif norm == "nf":
            kernel = centred / centred.square().sum().clamp(min=1e-4).sqrt()
        elif norm == "mabn":
            kernel = centred
        outputs.append((kernel * clip).sum())
    return torch.stack(outputs)


@pytest.mark.parametrize("std", [(0.4, 0.4, 0.4), (0.1, 0.2, 0.4)])
@pytest.mark.parametrize(("norm", "exact"), [("gn", True), ("ws+gn", False), ("nf", False), ("mabn", None)])
def test_a_std_that_a_stem_cannot_take_up_is_noted(tmp_path, norm, exact, std):
    """Off by what loops say; centralised filters take up one scale of all colours, standardised ones none."""
    exact = std == (0.4, 0.4, 0.4) if exact is None else exact
    torch.manual_seed(1)
    source, model = (i3d_tiny(norm=norm, width=8, num_classes=3).double() for _ in range(2))
    own, theirs = (torch.tensor(each, dtype=torch.float64).view(3, 1, 1, 1) for each in (std, (0.2, 0.2, 0.2)))
    about = {"mean": [0.45] * 3, "std": [0.2] * 3, "class_names": list("abc"), "arch": "i3d_tiny", "norm": norm}
    torch.save({"state_dict": source.state_dict(), "hyper_parameters": about}, tmp_path / "a.ckpt")
    assert load_weights(model, tmp_path / "a.ckpt").notes == []
    notes = load_weights(model, tmp_path / "a.ckpt", std=std).notes
    pixels = torch.randn(400, *source.blocks[0].conv.weight.shape[1:], dtype=torch.float64)
    before = torch.stack([_stem_in_loops(norm, source.blocks[0].conv.weight, each / theirs) for each in pixels])
    after = torch.stack([_stem_in_loops(norm, model.blocks[0].conv.weight, each / own) for each in pixels])
    off = float(((after - before).norm() / before.norm()).detach())
    if exact:
        assert notes == []
        assert off < 1e-6
        return
    (note,) = notes
    assert note.startswith(f"the clips' std ({', '.join(map(str, std))}) is not the weights' own, and ")
    assert int(re.search(r"is (\d+)% off$", note)[1]) == pytest.approx(100 * off, rel=0.25)
