"""Weights from every kind of source, end to end, with random weights of the true names and shapes."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorchvideo.models.hub
import safetensors.torch
import timm
import torch
from image_networks import ONE_BLOCK_EACH, bn_network, caffe2_blobs, gn_network, randomised
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from videogn.models import i3d_r50_8x8, i3d_tiny, load_weights

GN = {"norm": "gn", "norm_options": {"groups": 32}}


def _model(**options):
    """The I3D with one block a stage and a ResNet's width, on 8 classes."""
    torch.manual_seed(2)
    return i3d_tiny(width=64, **options)


def _assert_holds(model, network):
    """A tensor of each kind is where it belongs; that all of them are is the comparison of features' business."""
    ours, theirs = model.state_dict(), network.state_dict()
    for name, key in {
        "blocks.0.norm.bias": "bn1.bias",
        "blocks.1.res_blocks.0.branch1_norm.weight": "layer1.0.downsample.1.weight",
        "blocks.4.res_blocks.0.branch2.norm_c.weight": "layer3.0.bn3.weight",
    }.items():
        torch.testing.assert_close(ours[name], theirs[key])
    for name, key in {
        "blocks.0.conv.weight": "conv1.weight",
        "blocks.3.res_blocks.0.branch2.conv_a.weight": "layer2.0.conv1.weight",
        "blocks.5.res_blocks.0.branch1_conv.weight": "layer4.0.downsample.0.weight",
        "blocks.5.res_blocks.0.branch2.conv_b.weight": "layer4.0.conv2.weight",
    }.items():
        torch.testing.assert_close(ours[name].sum(2), theirs[key])


WRITERS = {
    "plain.pth": lambda state, path: torch.save(state, path),
    "legacy.pt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "zip.pkl": lambda state, path: torch.save(state, path),
    "wrapped.pth": lambda state, path: torch.save({"state_dict": state, "epoch": 3, "arch": "resnet50"}, path),
    "model.pth": lambda state, path: torch.save({"model": state}, path),
    "parallel.pth": lambda state, path: torch.save({"state_dict": {f"module.{k}": t for k, t in state.items()}}, path),
    "half.pth": lambda state, path: torch.save({k: t.double() for k, t in state.items()}, path),
    "tensors.safetensors": lambda state, path: safetensors.torch.save_file(state, path),
}


@pytest.mark.parametrize("file", WRITERS)
def test_a_local_2d_file(tmp_path, file):
    network, model = bn_network(), _model(norm="bn")
    WRITERS[file](network.state_dict(), tmp_path / file)
    report = load_weights(model, tmp_path / file, class_names=list("abcdefgh"))
    _assert_holds(model, network)
    assert len(report.inflated) == 17
    assert len(report.loaded) == 17 * 5
    assert sorted(report.skipped) == ["fc.bias", "fc.weight"]
    assert report.missing == ["blocks.6.proj.weight", "blocks.6.proj.bias"]
    statistics = model.state_dict()["blocks.0.norm.running_var"]
    assert torch.equal(statistics, network.bn1.running_var)


def test_the_classifier_comes_along_when_its_shape_fits(tmp_path):
    network, model = bn_network(), _model(norm="bn", num_classes=1000)
    torch.save(network.state_dict(), tmp_path / "bn.pth")
    report = load_weights(model, tmp_path / "bn.pth")
    assert torch.equal(model.blocks[6].proj.weight, network.fc.weight)
    assert report.missing == report.skipped == []


def test_the_report_in_one_line_and_in_full(tmp_path):
    torch.save(bn_network().state_dict(), tmp_path / "bn.pth")
    report = load_weights(_model(norm="bn"), tmp_path / "bn.pth")
    assert "\n" not in str(report)
    assert str(report).startswith("85 tensors loaded, 17 inflated, 2 skipped; new: blocks.6.proj.weight")
    lines = report.details().splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == ["loaded", "inflated", "skipped", "missing"]
    assert "blocks.1.res_blocks.0.branch2.conv_a.weight" in lines[2]


def _create_model(network):
    def create(name, pretrained=False):
        assert pretrained
        network.asked = name
        return network

    return create


@pytest.mark.parametrize(
    ("name", "make", "norm"), [("resnet50_gn.a1h_in1k", gn_network, GN), ("resnet50", bn_network, {"norm": "bn"})]
)
def test_timm(monkeypatch, name, make, norm):
    network, model = make(), _model(**norm)
    network.pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1)}
    monkeypatch.setattr(timm, "create_model", _create_model(network))
    report = load_weights(model, f"timm:{name}")
    assert network.asked == name
    _assert_holds(model, network)
    assert (report.mean, report.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert "ImageNet top-1" in str(report)


def test_timms_own_resnet50_gn_fits_the_i3d(monkeypatch):
    network = timm.create_model("resnet50_gn")
    monkeypatch.setattr(timm, "create_model", _create_model(network))
    report = load_weights(i3d_r50_8x8(norm="gn"), "timm:resnet50_gn")
    assert (len(report.inflated), len(report.loaded)) == (53, 106)
    assert report.mean == (0.485, 0.456, 0.406)
    assert not any("groups" in note for note in report.notes)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("timm:resnet50_g", "did you mean 'resnet50_gn'"),
        ("timm:resnet50_gn.nothing", "could not be fetched: Invalid pretrained tag"),
        ("timm:resnetaa50.a1h_in1k", "filters before each stride"),
        ("torchvision:ResNet50_Weights.IMAGENET1K_V3", "did you mean 'ResNet50_Weights.IMAGENET1K_V"),
        ("torchvision:resnet", "knows no weights"),
        ("zoo:i3d_r5", "did you mean 'i3d_r50'"),
    ],
)
def test_names_that_do_not_exist(source, reason):
    with pytest.raises(ValueError, match=reason):
        load_weights(_model(), source)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"pip install 'videogn\[weights\]'"):
        load_weights(_model(), "timm:resnet50")


def test_torchvision(downloads):
    network, model = bn_network(), _model(norm="bn")
    torch.save(network.state_dict(), downloads / "resnet50-0676ba61.pth")
    report = load_weights(model, "torchvision:ResNet50_Weights.IMAGENET1K_V1")
    _assert_holds(model, network)
    assert report.mean == (0.485, 0.456, 0.406)
    assert "76.1 %" in report.notes[0]


def test_the_zoo(downloads):
    network = randomised(pytorchvideo.models.hub.i3d_r50())
    torch.save({"model_state": network.state_dict()}, downloads / "I3D_8x8_R50.pyth")
    model = i3d_r50_8x8()
    report = load_weights(model, "zoo:i3d_r50")
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert (report.mean, report.std) == ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
    assert report.missing == report.skipped == report.inflated == []
    with pytest.raises(ValueError, match="does not fit"):
        load_weights(i3d_r50_8x8(norm="gn"), "zoo:i3d_r50")


def test_the_hubs_retries_are_not_logged(monkeypatch, caplog):
    hub = logging.getLogger("huggingface_hub.utils._http")
    before = logging.getLogger("huggingface_hub").level

    def fail(*args, **kwargs):
        hub.warning("Retrying in 1s")
        raise OSError("no route to host")

    monkeypatch.setattr("timm.create_model", fail)
    with pytest.raises(ValueError, match=r"^timm:resnet50_gn could not be fetched: no route to host$"):
        load_weights(i3d_tiny(), "timm:resnet50_gn")
    assert caplog.messages == []
    assert logging.getLogger("huggingface_hub").level == before


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("zoo:i3d_r50", "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/I3D_8x8_R50.pyth"),
        ("torchvision:R3D_18_Weights.KINETICS400_V1", "https://download.pytorch.org/models/r3d_18-b3b3357e.pth"),
    ],
)
def test_no_network(downloads, caplog, source, file):
    with pytest.raises(ValueError, match="could not be fetched") as error:
        load_weights(i3d_tiny(), source)
    wanted = f"download {file} where there is a network, and put the file into {downloads}"
    assert str(error.value) == f"{source} could not be fetched: no route to host; {wanted}"
    assert caplog.messages == [f"fetching {file} to {downloads / file.rpartition('/')[2]}"]
    assert list(downloads.iterdir()) == []


def test_what_is_fetched_has_the_hash_of_its_name(downloads, monkeypatch):
    content = io.BytesIO()
    torch.save(bn_network().state_dict(), content)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: contextlib.nullcontext())
    asked = []

    def download(url, path, prefix, **_):
        asked.append((url.rpartition("/")[2], prefix))
        Path(path).write_bytes(content.getvalue())

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        load_weights(_model(norm="bn"), "torchvision:ResNet50_Weights.IMAGENET1K_V1")
    assert asked == [("resnet50-0676ba61.pth", "0676ba61")]


def test_a_damaged_download_is_named_and_no_code_in_it_is_run(downloads):
    for content in (b"PK\x03\x04 half", pickle.dumps(print)):
        (downloads / "X3D_S.pyth").write_bytes(content)
        with pytest.raises(ValueError, match=r"X3D_S\.pyth is (not a checkpoint: it is )?damaged"):
            load_weights(i3d_tiny(), "zoo:x3d_s")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("wrap", [lambda blobs: {"blobs": blobs}, lambda blobs: blobs])
def test_caffe2(tmp_path, wrap, protocol):
    network, model = gn_network(), _model(**GN)
    (tmp_path / "R-50-GN.pkl").write_bytes(pickle.dumps(wrap(caffe2_blobs(network)), protocol))
    report = load_weights(model, tmp_path / "R-50-GN.pkl")
    conv = model.blocks[0].conv.weight.detach()
    torch.testing.assert_close(conv.sum(2), network.conv1.weight.detach() * (255 * 0.225))  # RGB again, our scale
    with torch.no_grad():
        model.blocks[0].conv.weight.div_(255 * 0.225)
    _assert_holds(model, network)
    assert (len(report.inflated), len(report.loaded)) == (17, 34)
    assert report.skipped == ["pred_w", "pred_b"]
    assert report.mean == pytest.approx((122.7717 / 255, 115.9465 / 255, 102.9801 / 255))
    assert report.std == (0.225, 0.225, 0.225)
    assert "76.0 %" in str(report)


def test_caffe2_with_bn_is_refused(tmp_path):
    blobs = {"conv1_w": np.zeros((64, 3, 7, 7), "f4"), "res_conv1_bn_s": np.zeros(64, "f4")}
    (tmp_path / "R-50.pkl").write_bytes(pickle.dumps(blobs, 2))
    with pytest.raises(ValueError, match="image network whose BN is folded"):
        load_weights(_model(norm="bn"), tmp_path / "R-50.pkl")


MISFITS = {
    "deeper": (lambda: bn_network((1, 1, 2, 1)), r"15 tensors that the network lacks, the first is layer3\.1\.conv1"),
    "ResNet-18's blocks": (lambda: randomised(ResNet(BasicBlock, [1, 1, 1, 1])), "missing or have another shape"),
    "wide": (
        lambda: randomised(ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=128)),
        r"another shape, the first is .*conv_a\.weight \(\(128, 64, 1, 1\) for \(64, 64, 3, 1, 1\)\)",
    ),
    "deep stem": (lambda: timm.create_model("resnet50d", layers=list(ONE_BLOCK_EACH)), r"conv1\.0\.weight"),
    "squeeze and excitation": (
        lambda: timm.create_model("seresnet50", layers=list(ONE_BLOCK_EACH)),
        r"network lacks, the first is layer1\.0\.se\.",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_other_networks_are_refused(tmp_path, kind):
    make, reason = MISFITS[kind]
    torch.save(make().state_dict(), tmp_path / "other.pth")
    model = _model(norm="bn")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=reason) as error:
        load_weights(model, tmp_path / "other.pth")
    assert "other.pth" in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("make", "norm", "names"),
    [(bn_network, GN, ("BatchNorm", "GroupNorm")), (gn_network, {"norm": "bn"}, ("GroupNorm", "BatchNorm3d"))],
)
def test_the_other_kind_of_norm_is_refused(tmp_path, make, norm, names):
    torch.save(make().state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match="running_mean") as error:
        load_weights(_model(**norm), tmp_path / "other.pth")
    assert all(name in str(error.value) for name in names)


def test_another_number_of_groups_is_noted(tmp_path):
    torch.save(gn_network().state_dict(), tmp_path / "gn.pth")
    report = load_weights(_model(norm="gn", norm_options={"groups": 8}), tmp_path / "gn.pth")
    assert "32 groups" in report.notes[0]
    assert "GroupNorm(8, 64" in report.notes[0]


def test_other_convolutions_are_noted(tmp_path):
    class OtherConv3d(torch.nn.Conv3d):
        pass

    torch.save(gn_network().state_dict(), tmp_path / "gn.pth")
    model = _model(**GN)
    model.blocks[0].conv = OtherConv3d(3, 64, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False)
    report = load_weights(model, tmp_path / "gn.pth")
    assert "OtherConv3d" in report.notes[0]


def test_a_truncated_safetensors_file(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.safetensors is not a checkpoint"):
        load_weights(_model(), path)
