"""Which starts are fair to compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision.models import ResNet50_Weights

from videogn.models.fairness import IMAGENET_SOURCES, TOLERANCE, fairness_note, unequal_starts

V1 = "torchvision:ResNet50_Weights.IMAGENET1K_V1"
GN = "timm:resnet50_gn.a1h_in1k"


def test_torchvisions_own_numbers():
    for weights in ResNet50_Weights:
        top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        assert IMAGENET_SOURCES[f"torchvision:{weights}"].top1 == pytest.approx(top1, abs=0.05)


@pytest.mark.parametrize("source", IMAGENET_SOURCES)
def test_partners_have_the_other_norm_and_the_same_accuracy(source):
    start = IMAGENET_SOURCES[source]
    partner = IMAGENET_SOURCES[start.partner]
    assert {start.norm, partner.norm} == {"bn", "gn"}
    assert abs(start.top1 - partner.top1) <= TOLERANCE
    assert unequal_starts(source, start.partner) is None
    assert start.partner in fairness_note(source)


def test_v1_against_timms_gn_favours_gn_by_about_4_points():
    for note in (fairness_note(V1), unequal_starts(V1, GN), unequal_starts(GN, V1)):
        assert "76.1 %" in note
        assert "80.1 %" in note
        assert "favours GN by 4.0 ImageNet points" in note


@pytest.mark.parametrize(
    ("source", "top1"),
    [
        (Path("weights") / "R-50-GN.pkl", "76.0 %"),
        ("/a/resnet50-0676ba61.pth", "76.1 %"),
        ("torchvision:ResNet50_Weights.DEFAULT", "80.9 %"),
        ("timm:resnet50_gn", "80.1 %"),
    ],
)
def test_other_spellings(source, top1):
    assert top1 in fairness_note(source)


def test_unknown_sources_and_equal_norms_have_no_note():
    assert fairness_note("runs/last.ckpt") is None
    assert unequal_starts("runs/last.ckpt", "runs/other.ckpt") is None
    assert "accuracy of runs/last.ckpt is not known" in unequal_starts("runs/last.ckpt", V1)


def test_weights_of_one_norm_can_be_unequal_starts_too():
    """bn from V1 against sub_bn from V2, say."""
    warning = unequal_starts(V1, "torchvision:ResNet50_Weights.IMAGENET1K_V2")
    assert "favours torchvision:ResNet50_Weights.IMAGENET1K_V2 by 4.8 ImageNet points" in warning
