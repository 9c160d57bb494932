"""ImageNet accuracies of the known sources of weights: a comparison of norms is fair when both start equally good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Starts that differ by more ImageNet points than this are called unequal.
TOLERANCE = 1.0


@dataclass(frozen=True)
class ImageNetSource:
    """A published network.

    Attributes:
        top1: ImageNet validation top-1 in %, one 224 x 224 centre crop.
        norm: Norm of the network, bn or gn.
        partner: Source with the other norm to compare it with.
    """

    top1: float
    norm: str
    partner: str


_V1 = "torchvision:ResNet50_Weights.IMAGENET1K_V1"
_V2 = "torchvision:ResNet50_Weights.IMAGENET1K_V2"
_A1H = "timm:resnet50.a1h_in1k"
_GN_A1H = "timm:resnet50_gn.a1h_in1k"
_GN_CAFFE2 = "R-50-GN.pkl"

#: torchvision: `meta` of its weights. timm: the comparison table of its ResNet model cards, at 224 (at its own test
#: size of 288, resnet50_gn.a1h_in1k has 81.2). R-50-GN.pkl: README of Detectron's GN project, 24.0 % error (the
#: paper's table 1 has 24.1).
IMAGENET_SOURCES = {
    _V1: ImageNetSource(76.1, "bn", _GN_CAFFE2),
    _V2: ImageNetSource(80.9, "bn", _GN_A1H),
    "timm:resnet50.tv_in1k": ImageNetSource(76.1, "bn", _GN_CAFFE2),
    "timm:resnet50.tv2_in1k": ImageNetSource(80.9, "bn", _GN_A1H),
    "timm:resnet50.a1_in1k": ImageNetSource(80.4, "bn", _GN_A1H),
    _A1H: ImageNetSource(80.7, "bn", _GN_A1H),
    _GN_A1H: ImageNetSource(80.1, "gn", _A1H),
    _GN_CAFFE2: ImageNetSource(76.0, "gn", _V1),
}

#: Other spellings: names without a tag, and names of downloaded files.
_ALIASES = {
    "torchvision:ResNet50_Weights.DEFAULT": _V2,
    "timm:resnet50": "timm:resnet50.a1_in1k",
    "timm:resnet50_gn": _GN_A1H,
    "resnet50-0676ba61.pth": _V1,
    "resnet50-19c8e357.pth": _V1,
    "resnet50-11ad3fa6.pth": _V2,
    "resnet50_gn_a1h2-8fe6c4d0.pth": _GN_A1H,
}


def fairness_note(source: str | Path) -> str | None:
    """Describe the quality of a start, a fair partner for comparison, and a known unfair one.

    Args:
        source: Source as for `load_weights`; a file is recognised by its name.

    Returns:
        One sentence with ImageNet accuracies, or None for a source that is not in the table.
    """
    name = _known(source)
    if name is None:
        return None
    start = IMAGENET_SOURCES[name]
    other = {"bn": "GN", "gn": "BN"}[start.norm]
    note = (
        f"{name} has {start.top1} % ImageNet top-1 ({start.norm.upper()}); compare it with {other} from "
        f"{_described(start.partner)}"
    )
    unfair = next((other for other in (_GN_A1H, _V1, _V2, _GN_CAFFE2) if _unequal(name, other)), None)
    return note if unfair is None else f"{note}, not from {_described(unfair)}, which {_favour(name, unfair)}"


def unequal_starts(first: str | Path, second: str | Path) -> str | None:
    """Warn of two runs that start from weights of different quality.

    Args:
        first: Source of the weights of one training run.
        second: Source of the weights of the other.

    Returns:
        The warning, or None if the starts are equal or neither is known.
    """
    one, two = _known(first), _known(second)
    if one is None or two is None:
        unknown = second if two is None else first
        return f"the ImageNet accuracy of {unknown} is not known: the starts may be unequal" if one or two else None
    if abs(IMAGENET_SOURCES[one].top1 - IMAGENET_SOURCES[two].top1) <= TOLERANCE:
        return None
    return (
        f"unequal starts: {_described(one)} and {_described(two)}; that {_favour(one, two)}. "
        f"A fair partner of {one} is {_described(IMAGENET_SOURCES[one].partner)}"
    )


def _known(source: str | Path) -> str | None:
    text = str(source)
    for name in (text, Path(text).name):
        name = _ALIASES.get(name, name)
        if name in IMAGENET_SOURCES:
            return name
    return None


def _unequal(first: str, second: str) -> bool:
    one, two = IMAGENET_SOURCES[first], IMAGENET_SOURCES[second]
    return one.norm != two.norm and abs(one.top1 - two.top1) > TOLERANCE


def _described(name: str) -> str:
    start = IMAGENET_SOURCES[name]
    return f"{name} ({start.top1} %, {start.norm.upper()})"


def _favour(first: str, second: str) -> str:
    better, worse = sorted((first, second), key=lambda name: -IMAGENET_SOURCES[name].top1)
    one, two = IMAGENET_SOURCES[better], IMAGENET_SOURCES[worse]
    who = better if one.norm == two.norm else one.norm.upper()
    return f"favours {who} by {one.top1 - two.top1:.1f} ImageNet points"
