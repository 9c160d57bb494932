"""Networks for images against torchvision's, and their weights in the networks of videos."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torchvision.models.vgg import cfgs, make_layers

from videogn.models import load_weights, make_model
from videogn.models.i3d import i3d_tiny
from videogn.models.image_networks import resnet50, resnet_cifar, resnet_tiny
from videogn.models.inflation import inflate
from videogn.models.input_size import check_input
from videogn.models.vgg import vgg16

NETWORKS = {
    "resnet50": {},
    "resnet_tiny": {"width": 8},
    "resnet_cifar": {"depth": 8, "width": 8},
    "vgg16": {"width": 8, "window": 1, "hidden": 16},
}


def _shaken(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give norms and their statistics values that tell them apart; the last gammas of blocks start at 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            value.copy_(0.5 + torch.rand(value.shape, generator=generator) if "var" in name or "weight" in name else 0)
    return network.eval()


@pytest.mark.parametrize("norm", ["bn", "gn"])
def test_resnet50_is_torchvisions(tmp_path, norm):
    layer = None if norm == "bn" else lambda channels: torch.nn.GroupNorm(32, channels)
    theirs = _shaken(torchvision.models.resnet50(weights=None, norm_layer=layer))
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = resnet50(norm=norm).eval()
    report = load_weights(ours, tmp_path / "theirs.pth")
    assert not report.missing
    assert not report.skipped
    ours, theirs = ours.double(), theirs.double()  # in 32 bits they differ by how a processor's kernels round
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.inference_mode():
        assert torch.allclose(ours(images[:, :, None])[..., 0, 0, 0], theirs(images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "vgg16"])
def test_parameters_are_torchvisions(name):
    with torch.device("meta"):
        ours = make_model(name, 1000, "bn")
        theirs = getattr(torchvision.models, {"vgg16": "vgg16_bn"}.get(name, name))(weights=None)
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (ours, theirs)]
    biases = 64 * 2 + 128 * 2 + 256 * 3 + 512 * 6 if name == "vgg16" else 0  # of convolutions before a norm
    assert counts[0] == counts[1] - biases


def test_vgg16_is_torchvisions():
    theirs = make_layers(cfgs["D"], batch_norm=True).eval()
    ours = vgg16(5, "bn", window=2, hidden=16).eval()
    convolutions = [layer for layer in ours.features.modules() if isinstance(layer, torch.nn.Conv3d)]
    theirs_too = [layer for layer in theirs if isinstance(layer, torch.nn.Conv2d)]
    for own, other in zip(convolutions, theirs_too, strict=True):
        own.weight.data.copy_(other.weight.data[:, :, None])
        other.bias.data.zero_()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(images)
        found = ours.features(images[:, :, None])
        assert torch.allclose(found[:, :, 0], expected, rtol=1e-4, atol=1e-5)
        # Its classifier, at the one position that there is: three linear layers of the flattened window.
        first, second, last = (layer for layer in ours.classifier if isinstance(layer, torch.nn.Conv3d))
        hidden = torch.relu(first.weight.flatten(1) @ found[0].flatten() + first.bias)
        hidden = torch.relu(second.weight.flatten(1) @ hidden + second.bias)
        logits = last.weight.flatten(1) @ hidden + last.bias
        assert torch.allclose(ours(images[:, :, None])[0, :, 0, 0, 0], logits, rtol=1e-4, atol=1e-6)


def test_resnet_cifar_is_that_of_the_paper():
    """He et al. 2016, table 6: 0.27 M parameters at 20 layers, 0.85 M at 56; maps of 32, 16 and 8."""
    for depth, millions in ((20, 0.27), (56, 0.85)):
        network = resnet_cifar(depth=depth)
        assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == pytest.approx(millions, abs=0.011)
        layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv3d | torch.nn.Linear)]
        projections = 2
        assert len(layers) - projections == depth
    sizes = []
    for stage in network.blocks[1:4]:
        stage.register_forward_hook(lambda module, given, made: sizes.append((made.shape[1], *made.shape[2:])))
    network(torch.zeros(1, 3, 1, 32, 32))
    assert sizes == [(16, 1, 32, 32), (32, 1, 16, 16), (64, 1, 8, 8)]


@pytest.mark.parametrize("depth", [2, 9, 21])
def test_depths_that_there_are_not(depth):
    with pytest.raises(ValueError, match=rf"depth must be 6 n \+ 2, for instance 8, 14, 20 or 56, got {depth}"):
        resnet_cifar(depth=depth)


@pytest.mark.parametrize("norm", ["bn", "gn", "ln", "in", "brn", "ws+gn", "evonorm_s0", "frn", "nf", "none"])
@pytest.mark.parametrize("name", list(NETWORKS)[1:])
def test_any_norm_trains(name, norm):
    options = {"groups": 2} if norm in ("gn", "ws+gn", "evonorm_s0") else None
    network = make_model(name, 4, norm, options, NETWORKS[name])
    logits = network(torch.randn(3, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (3, 4, 1, 1, 1)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_frames_are_images_of_their_own():
    network = _shaken(resnet_tiny(4, "bn", width=8))
    frames = torch.randn(1, 3, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        each = [network(frames[:, :, number : number + 1]) for number in range(2)]
        assert torch.allclose(network(frames), sum(each) / 2, atol=1e-5)


def test_smaller_images_than_a_network_takes():
    network = vgg16(4, "bn", window=1, hidden=8, width=8)
    with pytest.raises(ValueError, match="crop_size must be >= 32, got 28: the network needs 1 x 32 x 32"):
        check_input(network, 1, 28)
    with pytest.raises(ValueError, match="input must be at least T x H x W = 1 x 32 x 32, got 1 x 28 x 28"):
        network(torch.zeros(1, 3, 1, 28, 28))


@pytest.mark.parametrize("norm", ["bn", "gn"])
def test_weights_of_images_inflate_into_videos(tmp_path, norm):
    """A still image, repeated in time, gives the 3D network the features of the 2D one, away from its ends."""
    images, videos = _shaken(resnet_tiny(4, norm, width=8)), i3d_tiny(6, norm, width=8).eval()
    torch.save(images.state_dict(), tmp_path / "images.pth")
    report = load_weights(videos, tmp_path / "images.pth")
    assert report.missing == ["blocks.6.proj.weight", "blocks.6.proj.bias"]  # four classes there, six here
    assert "blocks.0.conv.weight" in report.inflated
    assert torch.allclose(videos.blocks[0].conv.weight.sum(2), images.blocks[0].conv.weight[:, :, 0], atol=1e-6)
    still = torch.randn(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = images.blocks[0].conv(still)
        inflated = videos.blocks[0].conv(still.expand(-1, -1, 9, -1, -1))
        assert torch.allclose(inflated[:, :, 4], features[:, :, 0], atol=1e-5)


@pytest.mark.parametrize("norm", ["bn", "mabn", "nf", "none"])
def test_two_inflated_parts_see_a_still_image_as_images(tmp_path, norm):
    """Of norms without statistics of the clip, which hold its ends too; nf standardises the inflated weights anew."""
    images, videos = _shaken(resnet_tiny(4, norm, width=8)), i3d_tiny(4, norm, width=8).eval()
    torch.save(images.state_dict(), tmp_path / "images.pth")
    load_weights(videos, tmp_path / "images.pth")
    still = torch.randn(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = images.blocks[1](images.blocks[0](still))
        inflated = videos.blocks[1](videos.blocks[0](still.expand(-1, -1, 9, -1, -1)))
    torch.testing.assert_close(inflated[:, :, 4:5], features, rtol=1e-3, atol=1e-4)


def test_networks_without_a_pool_do_not_mix_up_stages(tmp_path):
    """The blocks of a network with a pool after res2 count one more; back and forth nothing is lost."""
    given = _shaken(resnet_tiny(4, width=8))
    torch.save(given.state_dict(), tmp_path / "a.pth")
    again = resnet_tiny(4, width=8)
    assert not load_weights(again, tmp_path / "a.pth").missing
    assert all(torch.equal(one, other) for one, other in zip(given.parameters(), again.parameters(), strict=True))
    torch.save(i3d_tiny(4, width=8).state_dict(), tmp_path / "b.pth")
    with pytest.raises(ValueError, match="does not fit the network"):  # a kernel of time cannot become one of images
        load_weights(again, tmp_path / "b.pth")


def test_inflation_of_a_kernel_with_one_frame():
    kernel = torch.randn(2, 3, 1, 5, 5)
    made = inflate(kernel, torch.Size((2, 3, 4, 5, 5)))
    assert torch.allclose(made, kernel.expand(-1, -1, 4, -1, -1) / 4)
    assert inflate(torch.randn(2, 3, 2, 5, 5), torch.Size((2, 3, 4, 5, 5))) is None
