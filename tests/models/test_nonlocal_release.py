"""Files of the Non-local release, imitated with random weights, against its networks written in plain functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from image_networks import caffe2_blobs, gn_network
from released_networks import released_blobs, released_logits, solver_state, write
from torch.nn import functional as F

from videogn.models import MODELS, i3d_r50, i3d_tiny, load_weights
from videogn.models.nonlocal_release import released_network
from videogn.video.transforms import normalise

FILES = {
    "i3d_baseline_32x2_IN_pretrain_400k.pkl": "i3d_r50",
    "i3d_baseline_128x1_I3D_pretrain_400k.pkl": "i3d_r50",
    "i3d_baseline_8x8_IN_pretrain_400k.pkl": "i3d_r50_8x8_unpadded",
    "i3d_baseline_8x8_IN_pretrain_300k_4gpu.pkl": "i3d_r50_8x8_unpadded",
    "i3d_baseline_32x4_I3D_pretrain_400k.pkl": "i3d_r50_8x8_unpadded",
}
AFFINE = ("128x1", "32x4")
IMAGENET = "r50_pretrain_c2_model_iter450450_clean.pkl"


def _model(arch="i3d_r50", norm="bn", **options):
    torch.manual_seed(1)
    return MODELS[arch](norm=norm, **options).eval()


def _assert_same_logits(model, blobs, stem, shape, window):
    """Of a uint8 clip, normalised by ours and by the release: (x - 114.75) / 57.375 on RGB."""
    frames = torch.randint(0, 256, (1, 3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    wanted = released_logits(blobs, (frames.double() - 114.75) / 57.375, stem, window)
    with torch.inference_mode():
        found = model(normalise(frames, (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)))
    assert wanted.std() > 0.1
    assert found.shape == wanted.shape
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "norm", "shape"),
    [
        ("i3d_baseline_32x2_IN_pretrain_400k.pkl", "bn", (16, 40, 72)),
        ("i3d_baseline_8x8_IN_pretrain_400k.pkl", "bn", (8, 40, 40)),
        ("i3d_baseline_32x4_I3D_pretrain_400k.pkl", "frozen_bn", (8, 40, 40)),
        ("i3d_baseline_128x1_I3D_pretrain_400k.pkl", "none", (8, 40, 40)),
    ],
)
def test_logits_are_those_of_the_released_network(tmp_path, name, norm, shape):
    stem = next(clips for clips in ("32x2", "8x8", "32x4", "128x1") if clips in name)
    blobs = released_blobs(affine=stem in AFFINE)
    model = _model(FILES[name], norm, pool_window=(None, 2, 2))
    report = load_weights(model, write(tmp_path / name, blobs))
    assert report.missing == report.skipped == report.inflated == report.notes == []
    assert (report.mean, report.std) == ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
    _assert_same_logits(model, blobs, stem, shape, window=2)


def test_riv_is_the_variance_itself(tmp_path):
    blobs = released_blobs()
    model = _model()
    load_weights(model, write(tmp_path / "i3d_baseline_32x2_IN_pretrain_400k.pkl", blobs))
    state = model.state_dict()
    np.testing.assert_array_equal(state["blocks.0.norm.running_var"], blobs["res_conv1_bn_riv"])
    np.testing.assert_array_equal(
        state["blocks.5.res_blocks.0.branch1_norm.running_var"], blobs["res5_0_branch1_bn_riv"]
    )
    np.testing.assert_array_equal(state["blocks.6.proj.bias"], blobs["pred_b"])


@pytest.mark.parametrize("name", FILES)
def test_the_name_tells_the_network(name):
    trained = released_network(name)
    assert trained.arch == FILES[name]
    assert f"_{trained.clip_length}x{trained.interval}_" in name
    with torch.device("meta"):
        assert MODELS[trained.arch]().blocks[0].conv.stride[0] == trained.temporal_stride


def test_the_imagenet_start(tmp_path):
    """2D kernels with BN, in RGB: inflated by the mean; the classifier of 1000 classes stays behind."""
    blobs = released_blobs(dimensions=2, classes=1000)
    model = _model()
    report = load_weights(model, write(tmp_path / IMAGENET, blobs, wrapped=False))
    assert len(report.inflated) == 53
    assert report.skipped == ["pred_w", "pred_b"]
    assert report.notes == []
    assert report.mean == (0.45, 0.45, 0.45)
    kernel = model.blocks[0].conv.weight.detach()
    torch.testing.assert_close(kernel.sum(2), torch.from_numpy(blobs["conv1_w"]))
    clip = torch.randn(1, 3, 7, 32, 32)
    wanted = F.conv2d(clip[:, :, 0], torch.from_numpy(blobs["conv1_w"]), stride=2, padding=3)
    still = clip[:, :, :1].expand(-1, -1, 7, -1, -1)
    torch.testing.assert_close(model.blocks[0].conv(still)[:, :, 1], wanted, rtol=1e-4, atol=1e-4)


def _tiny(**options):
    return _model("i3d_tiny", width=8, **options)


def _tiny_blobs(**options):
    """Of the first block of every stage, where `i3d_tiny` is the same network but for one kernel of res5."""
    blobs = released_blobs(width=8, classes=8, **options)
    kept = {
        name: blob for name, blob in blobs.items() if not name.startswith("res") or name.split("_")[1] in ("0", "conv1")
    }
    kept["res5_0_branch2a_w"] = np.repeat(kept["res5_0_branch2a_w"], 3, 2) / 3
    return kept


def test_the_state_of_the_solver_is_left_out(tmp_path):
    path = write(tmp_path / "i3d_baseline_8x8_IN_pretrain_400k.pkl", solver_state(_tiny_blobs()))
    report = load_weights(_tiny(), path)
    assert report.missing == []
    assert all(key.endswith("_momentum") or key == "lr" for key in report.skipped)


def test_another_stem_than_the_names_is_noted(tmp_path):
    path = write(tmp_path / "i3d_baseline_32x2_IN_pretrain_400k.pkl", _tiny_blobs())
    note = load_weights(_tiny(), path).notes[0]
    assert "trained as i3d_r50 on clips of 32 x 2" in note
    path = write(tmp_path / "i3d_baseline_8x8_IN_pretrain_400k.pkl", _tiny_blobs())
    assert "trained as i3d_r50_8x8_unpadded" in load_weights(_tiny(), path).notes[0]  # i3d_tiny pads its pool


def test_a_name_that_says_nothing_is_noted(tmp_path):
    note = load_weights(_tiny(), write(tmp_path / "baseline.pkl", _tiny_blobs())).notes[0]
    assert "does not say which clips" in note


@pytest.mark.parametrize("norm", ["bn", "sync_bn", "frozen_bn", "brn"])
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_affine_layers_are_exact_in_every_norm_with_statistics(tmp_path, norm, eps):
    """The variance makes up for eps."""
    blobs = _tiny_blobs(affine=True)
    model = _tiny(norm=norm, norm_options={"eps": eps})
    report = load_weights(model, write(tmp_path / "i3d_baseline_32x4_I3D_pretrain_400k.pkl", blobs))
    x = torch.randn(2, 8, 1, 3, 3)
    shape = (1, -1, 1, 1, 1)
    scale, shift = (torch.from_numpy(blobs[f"res_conv1_bn_{part}"]).view(shape) for part in "sb")
    torch.testing.assert_close(model.blocks[0].norm(x), scale * x + shift, rtol=1e-5, atol=1e-6)
    assert any("frozen_bn keeps them" in note for note in report.notes) == (norm != "frozen_bn")


def test_affine_layers_do_not_fit_a_norm_of_its_own_statistics(tmp_path):
    path = write(tmp_path / "i3d_baseline_32x4_I3D_pretrain_400k.pkl", _tiny_blobs(affine=True))
    with pytest.raises(ValueError, match=r"32x4.*GroupNorm cannot be: take --model\.norm frozen_bn"):
        load_weights(_tiny(norm="gn"), path)


def test_statistics_do_not_fit_group_norm(tmp_path):
    path = write(tmp_path / "i3d_baseline_8x8_IN_pretrain_400k.pkl", _tiny_blobs())
    with pytest.raises(ValueError, match="the norm of its weights is one with running statistics"):
        load_weights(_tiny(norm="gn"), path)


def test_another_eps_is_noted(tmp_path):
    path = write(tmp_path / "a_8x8_.pkl", _tiny_blobs())
    notes = load_weights(_tiny(norm_options={"eps": 1e-3}), path).notes
    assert any("eps 1e-5, the network's norm has 0.001" in note for note in notes)


def test_non_local_blocks_are_refused(tmp_path):
    """They would be left out, and the rest would be another network."""
    blobs = released_blobs() | {"nonlocal_conv3_1_theta_w": np.zeros((256, 512, 1, 1, 1), "f4")}
    path = write(tmp_path / "i3d_nonlocal_32x2_IN_pretrain_400k.pkl", blobs)
    with pytest.raises(ValueError, match=r"i3d_nonlocal_32x2.*it has non-local blocks"):
        load_weights(i3d_tiny(), path)


def test_the_c2d_baselines_are_refused(tmp_path):
    """Their kernels have no extent in time."""
    blobs = released_blobs(width=8, classes=8)
    blobs["conv1_w"] = blobs["conv1_w"][:, :, :1]
    path = write(tmp_path / "c2d_baseline_8x8_IN_pretrain_400k.pkl", blobs)
    with pytest.raises(ValueError, match=r"blocks\.0\.conv\.weight \(\(8, 3, 1, 7, 7\) for"):
        load_weights(_tiny(), path)


def test_detectrons_folded_image_network_is_refused_with_the_true_reason(tmp_path):
    """Scale and shift, 2D kernels, BGR: not the release's."""
    blobs = released_blobs(dimensions=2, affine=True, classes=1000)
    with pytest.raises(ValueError, match="folded into a scale and a shift") as error:
        load_weights(i3d_tiny(norm="bn"), write(tmp_path / "R-50.pkl", blobs))
    assert "\n" not in str(error.value)


def test_detectrons_gn_is_still_bgr(tmp_path):
    path = write(tmp_path / "R-50-GN.pkl", caffe2_blobs(gn_network()))
    report = load_weights(i3d_tiny(width=64, norm_options={"groups": 32}), path)
    assert report.mean == pytest.approx((122.7717 / 255, 115.9465 / 255, 102.9801 / 255))


@pytest.mark.slow
def test_a_full_clip_of_32_frames(tmp_path):
    blobs = released_blobs()
    model = i3d_r50(norm="bn").eval()
    load_weights(model, write(tmp_path / "i3d_baseline_32x2_IN_pretrain_400k.pkl", blobs))
    _assert_same_logits(model, blobs, "32x2", (32, 256, 256), window=7)
