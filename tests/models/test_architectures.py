"""Networks of other packages: their weights give their logits, and every norm trains them in the same way."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import NamedTuple

import pytest
import torch
import torchvision
from pytorchvideo.models import hub
from torch import nn
from torchvision.models import video
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from video_networks import (
    AS_A_WHOLE,
    CONVOLUTIONAL,
    TORCHVISION,
    TRANSFORMERS,
    as_the_hub_takes,
    last_norms,
    sane,
    with_small_window,
)

from videogn.memory.planned import step_memory
from videogn.memory.step import StepSetting
from videogn.models import MODELS, i3d_r50_8x8, load_weights, make_model
from videogn.models.architectures import norms_of
from videogn.models.i3d import c2d_r50, i3d_r18, i3d_r101, slow_r50
from videogn.training.parameter_groups import parameter_groups

#: Differences of others, or deep.
_HEAVY = {"x3d_s", "x3d_m", "x3d_l", "csn_r101", "slowfast_r50", "i3d_r101", "s3d", *TRANSFORMERS} - {"swin3d_t"}


@functools.cache
def _on_meta(name, norm, **options):
    with torch.device("meta"):
        return with_small_window(name, norm=norm, **options)


def _seeded(name, norm, **options):
    torch.manual_seed(4)
    return with_small_window(name, num_classes=5, norm=norm, **options)


def _clips(size, batch=2):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(3))


# Other packages' weights

SOURCES = {
    "slow_r50": {},
    "c2d_r50": {},
    "x3d_xs": {"head_activation": None},  # pytorchvideo's end in a softmax
    "r2plus1d_r50": {"head_activation": None},
    "csn_r101": {},
    "slowfast_r50": {},
    "mvit_base_16x4": {},
    "mvit_base_32x3": {},
}
SIZES = {
    "slow_r50": (8, 193, 193),
    "c2d_r50": (8, 193, 193),
    "x3d_xs": (4, 182, 182),
    "r2plus1d_r50": (13, 193, 193),
    "r3d_18": (8, 64, 64),
    "mc3_18": (8, 64, 64),
    "r2plus1d_18": (8, 64, 64),
    "swin3d_t": TRANSFORMERS["swin3d_t"],
}


def _with_weights_of_the_package(name, path):
    """The package's network, and ours with all of its weights, from a file of its state dict."""
    source = sane(getattr(hub, name)(**SOURCES[name]) if name in SOURCES else getattr(video, name)())
    torch.save({"model_state": source.state_dict()} if name in SOURCES else source.state_dict(), path)
    torch.manual_seed(9)
    model = MODELS[name]().eval()
    report = load_weights(model, path)
    assert report.missing == report.skipped == report.inflated == report.notes == []
    return source, model


#: What a network trains a step with: more than one position to the end, of which a norm may take the mean away.
_STEP_SIZES = {
    **CONVOLUTIONAL,
    "slow_r50": (2, 64, 64),
    "c2d_r50": (4, 64, 64),
    **dict.fromkeys(("x3d_xs", "x3d_s", "x3d_m", "x3d_l"), (2, 64, 64)),
    "r2plus1d_r50": (8, 64, 64),
    "i3d_r101": (8, 64, 64),
    "i3d_r18": (8, 64, 64),
}


@pytest.mark.parametrize("name", [n for n in (*SOURCES, *TORCHVISION) if n not in _HEAVY])
def test_logits_are_those_of_the_package(tmp_path, name):
    """Of its own constructor and forward pass."""
    source, model = _with_weights_of_the_package(name, tmp_path / "a.pth")
    clips = _clips(SIZES[name], 1)
    with torch.inference_mode():
        wanted, found = source(as_the_hub_takes(name, clips)), model(clips)
    assert wanted.std() > 0.01
    found = found if found.ndim == 2 else found.mean(dim=(2, 3, 4))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in (*SOURCES, *TORCHVISION) if n in _HEAVY])
def test_weights_are_those_of_the_package(tmp_path, name):
    """To the bit. tests/inference/test_published_networks.py compares the logits of these networks."""
    source, model = _with_weights_of_the_package(name, tmp_path / "a.pth")
    found = model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in source.state_dict().items())


@pytest.mark.parametrize("name", [n for n in MODELS if hasattr(hub, n) and not n.startswith("i3d")])
def test_state_dicts_are_those_of_the_hub(name):
    with torch.device("cpu" if name in TRANSFORMERS else "meta"):  # the hub's builder reads numbers from tensors
        theirs = getattr(hub, name)().state_dict()
    with torch.device("meta"):
        ours = MODELS[name]().state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in theirs.items()}


@pytest.mark.parametrize(
    ("weights", "name"), [("R3D_18_Weights.KINETICS400_V1", "r3d_18"), ("Swin3D_T_Weights.KINETICS400_V1", "swin3d_t")]
)
def test_torchvision_by_the_name_of_its_weights(downloads, weights, name):
    """Mean and std are those of its preset, and the classes have names."""
    source = getattr(video, name)()
    torch.save(source.state_dict(), downloads / torchvision.models.get_weight(weights).url.rpartition("/")[2])
    model = MODELS[name]()
    report = load_weights(model, f"torchvision:{weights}", class_names=["other"] * 400)
    preset = torchvision.models.get_weight(weights).transforms()
    assert (report.mean, report.std) == (tuple(preset.mean), tuple(preset.std))
    assert [key.partition(".")[0] for key in report.missing] == (["fc"] * 2 if name == "r3d_18" else ["head"] * 2)


def test_another_std_is_folded_into_the_first_convolution_of_any_network(tmp_path):
    source = sane(video.r2plus1d_18())
    torch.save(source.state_dict(), tmp_path / "r2plus1d.pth")
    model = MODELS["r2plus1d_18"]().eval()
    report = load_weights(model, tmp_path / "r2plus1d.pth", std=(0.5, 0.5, 0.5))
    scale = (torch.tensor(report.std) / torch.tensor([0.22803, 0.22145, 0.216989])).view(1, 3, 1, 1, 1)
    clips = _clips((4, 32, 32), 1)
    with torch.inference_mode():
        torch.testing.assert_close(model(clips), source(clips * scale), rtol=1e-4, atol=1e-4)


def test_another_std_is_folded_into_both_pathways(downloads):
    source = hub.slowfast_r50()
    torch.save({"model_state": source.state_dict()}, downloads / "SLOWFAST_8x8_R50.pyth")
    model = MODELS["slowfast_r50"]()
    assert load_weights(model, "zoo:slowfast_r50", std=(0.45, 0.225, 0.9)).std == (0.45, 0.225, 0.9)
    scale = torch.tensor([2.0, 1.0, 4.0]).view(1, 3, 1, 1, 1)
    wanted, found = source.state_dict(), model.state_dict()
    for number in (0, 1):
        name = f"blocks.0.multipathway_blocks.{number}.conv.weight"
        torch.testing.assert_close(found[name], wanted[name] * scale)


@pytest.mark.parametrize("frames", [4, 8, 32])
def test_the_pathways_of_one_clip(frames):
    """As pytorchvideo's PackPathway, and every part of both averages counts once."""
    with torch.device("meta"):
        model = MODELS["slowfast_r50"](pool_window=(1, 1, 1)).eval()
        assert model(torch.empty(1, 3, frames, 64, 64)).shape == (1, 400, frames // 4, 2, 2)
    first = model.blocks[0]
    first.multipathway_blocks = nn.ModuleList([nn.Identity(), nn.Identity()])
    first.multipathway_fusion = nn.Identity()
    clip = torch.arange(frames).view(1, 1, frames, 1, 1).float()
    pathways = zip(first(clip), as_the_hub_takes("slowfast_r50", clip), strict=True)
    assert all(torch.equal(*pair) for pair in pathways)


@pytest.mark.parametrize("name", ["x3d_xs", "r3d_18"])
def test_other_classes_get_a_new_classifier(tmp_path, name):
    torch.save(MODELS[name]().state_dict(), tmp_path / "a.pth")
    report = load_weights(MODELS[name](num_classes=7), tmp_path / "a.pth")
    assert len(report.missing) == len(report.skipped) == 2


def test_the_zoo_has_all_networks(downloads):
    torch.save({"model_state": hub.x3d_s().state_dict()}, downloads / "X3D_S.pyth")
    assert load_weights(MODELS["x3d_s"](), "zoo:x3d_s").mean == (0.45, 0.45, 0.45)


# Inflation


@pytest.mark.parametrize(
    ("builder", "block", "layers", "inflated"),
    [
        (i3d_r101, Bottleneck, [3, 4, 23, 3], 104),
        (i3d_r18, BasicBlock, [2, 2, 2, 2], 20),
        (slow_r50, Bottleneck, [3, 4, 6, 3], 53),
        (c2d_r50, Bottleneck, [3, 4, 6, 3], 53),
    ],
)
def test_inflation_from_torchvisions_2d_networks(tmp_path, builder, block, layers, inflated):
    with torch.device("meta"):
        network = ResNet(block, layers)
    state = {name: torch.zeros(tensor.shape) + 0.5 for name, tensor in network.state_dict().items()}
    torch.save(state, tmp_path / "resnet.pth")
    model = builder(norm="bn", num_classes=3)
    report = load_weights(model, tmp_path / "resnet.pth")
    assert len(report.inflated) == inflated
    assert sorted(report.skipped) == ["fc.bias", "fc.weight"]
    for conv in (module for module in model.modules() if isinstance(module, nn.Conv3d)):
        torch.testing.assert_close(conv.weight.sum(2), torch.full_like(conv.weight[:, :, 0], 0.5))


def test_a_still_image_in_i3d_r18_gives_the_2d_networks_features(tmp_path):
    """In the middle of a long clip, before the first pool in time; padding reaches the ends only."""
    network = sane(ResNet(BasicBlock, [2, 2, 2, 2]))
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    model = i3d_r18(norm="bn").eval()
    load_weights(model, tmp_path / "resnet18.pth")
    model.blocks[0].pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))  # the 2D network's
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        ours = model.blocks[1](model.blocks[0](image.unsqueeze(2).expand(-1, -1, 24, -1, -1)))
        theirs = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(image)))))
    torch.testing.assert_close(ours[:, :, 6], theirs, rtol=1e-4, atol=1e-4)


# Every norm


#: What few norms have beside gamma and beta.
MORE = ("batch_weight", "batch_bias", ".v", ".tau", "alpha", "shift")


#: Networks that are tried with every norm: one of our blocks, one of pytorchvideo's, one of torchvision's. A norm meets
#: the same layers in the others, which are tried with those that differ most in what they ask of a network.
_WITH_EVERY_NORM = ("i3d_r18", "x3d_xs", "r2plus1d_18")
_SOME_NORMS = ("bn", "gn", "ws+gn", "mabn", "evonorm_s0", "frn", "nf")


class Stepped(NamedTuple):
    """A network after a step of SGD, with its gradients and what it was before."""

    name: str
    norm: str
    model: nn.Module
    before: dict[str, torch.Tensor]
    loss: torch.Tensor


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, norm), marks=pytest.mark.slow if name in _HEAVY else (), id=f"{name}-{norm}")
        for name in (*CONVOLUTIONAL, "i3d_r101", "i3d_r18")
        for norm in norms_of(name)
        if name in _WITH_EVERY_NORM or norm in _SOME_NORMS
    ],
)
def stepped(request):
    """Taken once for all tests that look at it: to make the networks and to run them is most of their work."""
    name, norm = request.param
    model = _seeded(name, norm)
    for layer in last_norms(model):
        nn.init.constant_(layer.weight, 0.5)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.01)
    logits = model(_clips(_STEP_SIZES[name]))
    logits = logits.flatten(2).mean(2) if logits.ndim == 5 else logits
    loss = nn.functional.cross_entropy(logits, torch.tensor([1, 3]))
    loss.backward()
    optimizer.step()
    return Stepped(name, norm, model, before, loss)


def test_every_norm_takes_a_step(stepped):
    """Every parameter has a gradient; what decays is what decays with bn."""
    assert all(parameter.grad is not None for parameter in stepped.model.parameters())
    names = []
    for network in (stepped.model, _on_meta(stepped.name, "bn")):
        groups = [{id(parameter) for parameter in group["params"]} for group in parameter_groups(network)]
        names.append([[n for n, p in network.named_parameters() if id(p) in group] for group in groups])
    assert names[0][0] == names[1][0]
    assert [n for n in names[0][1] if not n.endswith(MORE)] == names[1][1]


def test_every_norm_trains_a_step(stepped):
    changed = [name for name, p in stepped.model.named_parameters() if not torch.equal(p, stepped.before[name])]
    # Without statistics of their own input the signal of a deep network vanishes on its way, and so do its gradients.
    least = 0.1 if stepped.norm in ("none", "frozen_bn", "dyt", "derf") else 0.9
    assert stepped.loss.isfinite()
    assert len(changed) > least * len(list(stepped.model.parameters()))
    assert all(p.isfinite().all() for p in stepped.model.parameters())


@pytest.mark.parametrize("norm", norms_of("x3d_xs"))
@pytest.mark.parametrize("name", ["x3d_xs", "r2plus1d_18"])
def test_the_same_start_for_every_norm(name, norm):
    """Convolutions and classifier to the bit, gamma 0 in the last norm of every block and 1 elsewhere."""
    wanted, found = _seeded(name, "bn"), _seeded(name, norm)
    weights = {n: p for n, p in wanted.named_parameters() if p.ndim > 1}
    assert {n for n, p in found.named_parameters() if p.ndim > 1} == set(weights)
    state = found.state_dict()
    assert all(torch.equal(state[n], p) for n, p in weights.items())
    last = {id(layer.weight) for layer in last_norms(found)}
    assert len(last) == (26 if name == "x3d_xs" else 8)
    for key, parameter in found.named_parameters():
        if parameter.ndim == 1 and key.endswith("weight"):
            assert (parameter == (0 if id(parameter) in last else 1)).all(), key


@pytest.mark.parametrize("name", ["x3d_xs", "r2plus1d_18"])
@pytest.mark.parametrize("norm", ["bn", "gn", "ws+gn", "bcn"])
def test_a_step_of_numbers(name, norm):
    model = _seeded(name, norm)
    for layer in last_norms(model):
        nn.init.constant_(layer.weight, 0.5)
    logits = model(_clips((8, 64, 64)))
    nn.functional.cross_entropy(logits.flatten(1), torch.tensor([1, 3])).backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_keep_their_norm(name):
    assert type(_on_meta(name, "ln")).__name__ in ("MViT", "MultiscaleVisionTransformers", "SwinTransformer3d")
    for norm, options in (("gn", None), ("bn", None), ("ln", {"eps": 1e-3})):
        with pytest.raises(ValueError, match=rf"{name} is a transformer and keeps its own LayerNorm: --model\.norm ln"):
            MODELS[name](norm=norm, norm_options=options)


def test_weight_standardisation_replaces_convolutions_in_front_of_norms_only():
    """Not the convolutions of squeeze and excitation, not the one behind X3D's pool, no classifier."""
    plain, standard = (_on_meta("x3d_xs", norm) for norm in ("gn", "ws+gn"))
    kinds = {name: type(layer).__name__ for name, layer in standard.named_modules() if isinstance(layer, nn.Conv3d)}
    assert kinds.keys() == {name for name, layer in plain.named_modules() if isinstance(layer, nn.Conv3d)}
    left = [name for name, kind in kinds.items() if kind == "Conv3d"]
    assert all(".norm_b.1." in name or name == "blocks.5.pool.post_conv" for name in left)
    assert "blocks.0.conv.conv_t" not in left
    classifier = _on_meta("s3d", "ws+gn").classifier[1]
    assert type(classifier) is nn.Conv3d


# Memory modes


@pytest.mark.parametrize(
    ("name", "norm", "mode"),
    [
        ("x3d_xs", "bn", "lean"),
        ("x3d_xs", "gn", "block"),
        ("r2plus1d_18", "bn", "block"),
        ("r2plus1d_18", "brn", "block"),
        ("swin3d_t", "ln", "block"),
    ],
)
def test_memory_modes_are_exact(name, norm, mode):
    """Loss, gradients and running statistics to the bit, dropout included."""
    results = []
    for memory_mode in ("plain", mode):
        model = _seeded(name, norm, memory_mode=memory_mode)
        for layer in last_norms(model):
            nn.init.constant_(layer.weight, 0.5)
        torch.manual_seed(7)
        loss = model(_clips((4, 64, 64))).square().mean()
        loss.backward()
        results.append([loss, *(p.grad for p in model.parameters()), *model.state_dict().values()])
    assert len(results[0]) == len(results[1])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("name", AS_A_WHOLE)
def test_networks_of_known_blocks_have_one_other_mode(name):
    norm = "ln" if name in TRANSFORMERS else "bn"
    plain, block = (_on_meta(name, norm, memory_mode=mode) for mode in ("plain", "block"))
    assert list(plain.state_dict()) == list(block.state_dict())
    with pytest.raises(ValueError, match="memory_mode of this network must be one of plain, block, got 'lean'"):
        MODELS[name](norm=norm, memory_mode="lean")


def test_a_network_that_recomputes_can_be_copied_and_pickled():
    model = _seeded("r3d_18", "bn", memory_mode="block")
    clips = _clips((4, 32, 32))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(clips).sum().backward()
        assert all(p.grad is not None for p in other.parameters())
        assert all(p.grad is None for p in model.parameters())


# Inputs


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("mvit_v2_s", (16, 256, 256), "T x H x W = 16 x 224 x 224, got 16 x 256 x 256"),
        ("s3d", (8, 224, 224), "at least T x H x W = 14 x 224 x 224, got 8 x 224 x 224"),
        ("x3d_xs", (4, 112, 160), "at least T x H x W = 4 x 129 x 129, got 4 x 112 x 160"),
        ("csn_r101", (8, 224, 224), "at least T x H x W = 25 x 193 x 193, got 8 x 224 x 224"),
    ],
)
def test_clips_that_a_network_does_not_take(name, size, message):
    with torch.device("meta"):
        model = MODELS[name]()
    with pytest.raises(ValueError, match=message):
        model(torch.empty(1, 3, *size, device="meta"))


def test_logits_have_positions_by_make_model():
    with torch.device("meta"):
        assert make_model("r3d_18", 5, "gn")(torch.empty(1, 3, 8, 64, 64)).shape == (1, 5, 1, 1, 1)


def test_the_hubs_i3d_is_a_difference_of_ours():
    """The table of numbers reproduces three of pytorchvideo's networks."""
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in build().parameters()) for build in (i3d_r50_8x8, slow_r50, c2d_r50)]
    assert sizes == [28_043_472, 32_454_096, 24_327_632]


def test_a_transformer_can_be_planned():
    """Its initial weights are drawn again while any is out of bounds, which nothing is without numbers."""
    setting = StepSetting("mvit_v2_s", "ln", 16, 224, num_classes=5)
    small, large = (step_memory(setting, size).peak_bytes for size in (1, 2))
    assert 0 < small < large
