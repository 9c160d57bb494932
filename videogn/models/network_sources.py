"""Published networks by name: what they are built as, what they expect to see, their protocol, classes and accuracy.

A source is `torchvision:R3D_18_Weights.KINETICS400_V1`, `zoo:x3d_s`, `nonlocal:FILE.pkl`: a kind and a name. Clips and
crops are those that the accuracy of the weights was published with, as near as ours come. A folder or a repository in
the Hugging Face layout says all this itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from videogn.checks import check_choice, existing_path
from videogn.choices import EvaluationViews, SourceKindName, chosen
from videogn.models.hub_files import downloads
from videogn.models.nonlocal_release import PUBLISHED_TOP1, RELEASE_URL, ReleasedNetwork, released_network
from videogn.models.pretrained_folder import PretrainedFolder, describe_pretrained, find_pretrained
from videogn.models.weight_sources import torchvision_weights
from videogn.source_names import torchvision_name


@dataclass(frozen=True)
class PublishedNetwork:
    """What is known about a published network before its weights are read.

    Attributes:
        weights: Source of the weights, as `videogn.models.load_weights` takes it.
        arch: Name of the network, a key of `videogn.models.MODELS`.
        norm: Name of its norm.
        views: Input and test protocol; the weights bring mean and std.
        class_names: Names of the classes in order.
        licence: Licence of the weights, as their publishers state it.
        top1: Top-1 accuracy on Kinetics-400 that was published with these views, in percent; None if it is not known.
        norm_options: Options of the norm, or None.
        arch_options: Further arguments of the network's builder, or None.
        clips_per_forward: Number of views that go through the network at once. The default is small: some views have
            128 frames, and a laptop has to hold them.
    """

    weights: str | Path
    arch: str
    norm: str
    views: EvaluationViews
    class_names: tuple[str, ...]
    licence: str
    top1: float | None
    norm_options: dict[str, Any] | None = None
    arch_options: dict[str, Any] | None = None
    clips_per_forward: int = 2


def published_network(source: str | Path, *, trust: Collection[str] = ()) -> PublishedNetwork | None:
    """Look up a published network; no weights are read, and nothing is fetched but a repository of the Hub.

    Args:
        source: A kind and a name, for instance `zoo:x3d_s`; or a folder or an id in the Hugging Face layout.
        trust: Packages that may be imported where such a folder names a norm or a network from outside videogn.
            Default: none.

    Returns:
        The network, or None if the source is none of these, as the path of a checkpoint is not.

    Raises:
        FileNotFoundError: The file that the source names does not exist.
        ValueError: There is no network of this name, or the folder is not one of ours.
    """
    kind, _, name = str(source).partition(":")
    if kind in KINDS:
        return KINDS[kind](name)
    folder = find_pretrained(source)
    return None if folder is None else _pretrained(folder, trust)


def _pretrained(folder: PretrainedFolder, trust: Collection[str]) -> PublishedNetwork:
    config = describe_pretrained(folder, trust=trust)
    return PublishedNetwork(
        folder.source,
        config.arch,
        config.norm,
        config.views,
        config.class_names,
        licence="as its README.md says",
        top1=None,
        norm_options=config.norm_options,
        arch_options=config.arch_options,
        clips_per_forward=config.clips_per_forward,
    )


def published_networks() -> Iterator[tuple[str, PublishedNetwork]]:
    """Return source and network of all networks that are known by name, whether their files are here or not."""
    from torchvision.models import get_model_weights

    for name in _ZOO:
        yield f"zoo:{name}", _zoo(name)
    for arch in _TORCHVISION:
        for weights in get_model_weights(arch):
            yield f"torchvision:{weights}", _torchvision(str(weights))
    for name in PUBLISHED_TOP1:
        network = released_network(name)
        assert network is not None
        yield f"nonlocal:{name}", _of_the_release(Path(name), network)


def kinetics400_classes() -> tuple[str, ...]:
    """Return the names of Kinetics-400's classes, in alphabetical order."""
    return tuple(Path(__file__).with_name("kinetics400.txt").read_text(encoding="utf-8").splitlines())


class _Clips(NamedTuple):
    """Clips of a network of torchvision: number of frames, frames per second, number of clips."""

    length: int
    fps: float
    number: int


#: As its weights' documentation says, which a test reads.
_TORCHVISION = {
    "r3d_18": _Clips(16, 15, 5),
    "mc3_18": _Clips(16, 15, 5),
    "r2plus1d_18": _Clips(16, 15, 5),
    "s3d": _Clips(128, 15, 1),
    "mvit_v1_b": _Clips(16, 7.5, 5),
    "mvit_v2_s": _Clips(16, 7.5, 5),
    "swin3d_t": _Clips(32, 15, 12),
    "swin3d_s": _Clips(32, 15, 12),
    "swin3d_b": _Clips(32, 15, 12),
}
_TRANSFORMERS = ("mvit", "swin3d")


def _torchvision(name: str) -> PublishedNetwork:
    arch = torchvision_name(name)
    weights = torchvision_weights(name)
    clips, preset = _TORCHVISION[arch], weights.transforms()
    views = EvaluationViews(
        clip_length=clips.length,
        interval=1,
        fps=clips.fps,
        antialias=False,
        short_side=preset.resize_size[0],
        crop_size=preset.crop_size[0],
        num_clips=clips.number,
        protocol="endpoint",
        crops="center",
    )
    about = weights.meta
    top1 = about["_metrics"]["Kinetics-400"]["acc@1"]
    names = tuple(about["categories"])
    licence = "none stated (the code: BSD-3-Clause)"
    return PublishedNetwork(f"torchvision:{name}", arch, _norm(arch), views, names, licence, top1)


class _ZooNetwork(NamedTuple):
    """A network of pytorchvideo's zoo: frames of a clip, interval, side of the crop, published top-1 in percent."""

    clip_length: int
    interval: int
    crop_size: int
    top1: float
    arch: str | None = None


#: Name in the zoo, which is that of the network unless said -> what its model zoo's table says.
_ZOO = {
    "i3d_r50": _ZooNetwork(8, 8, 256, 73.27, "i3d_r50_8x8"),
    "slow_r50": _ZooNetwork(8, 8, 256, 74.58),
    "c2d_r50": _ZooNetwork(8, 8, 256, 71.46),
    "r2plus1d_r50": _ZooNetwork(16, 4, 256, 76.01),
    "csn_r101": _ZooNetwork(32, 2, 256, 77.00),
    "slowfast_r50": _ZooNetwork(32, 2, 256, 76.94),
    "x3d_xs": _ZooNetwork(4, 12, 182, 69.12),
    "x3d_s": _ZooNetwork(13, 6, 182, 73.33),
    "x3d_m": _ZooNetwork(16, 5, 256, 75.94),
    "x3d_l": _ZooNetwork(16, 5, 356, 77.44),
    "mvit_base_16x4": _ZooNetwork(16, 4, 224, 78.85),
    "mvit_base_32x3": _ZooNetwork(32, 3, 224, 80.30),
}
#: The views of its convolutional networks and of its transformers, as SlowFast's configurations have them.
_TEN_CLIPS = {"num_clips": 10, "protocol": "slowfast", "crops": "three_crop"}
_FIVE_CLIPS = {"num_clips": 5, "protocol": "slowfast_offset", "crops": "center", "short_side": 256}
#: pytorchvideo's list of classes, where it lies beside the weights.
_ZOO_CLASSES = "kinetics_classnames.json"


def _zoo(name: str) -> PublishedNetwork:
    check_choice("zoo", name, _ZOO)
    network = _ZOO[name]
    arch = network.arch or name
    clip = {"clip_length": network.clip_length, "interval": network.interval, "crop_size": network.crop_size}
    protocol = _FIVE_CLIPS if arch.startswith(_TRANSFORMERS) else {**_TEN_CLIPS, "short_side": network.crop_size}
    views = chosen(EvaluationViews, {**clip, **protocol, "antialias": False})
    licence = "none stated (the code: Apache-2.0)"
    return PublishedNetwork(f"zoo:{name}", arch, _norm(arch), views, _zoo_classes(), licence, network.top1)


def _norm(arch: str) -> str:
    return "ln" if arch.startswith(_TRANSFORMERS) else "bn"


def _zoo_classes() -> tuple[str, ...]:
    """The classes in the order of pytorchvideo's own list, where that is; else Kinetics-400's in alphabetical order."""
    path = downloads() / _ZOO_CLASSES
    if not path.exists():
        return kinetics400_classes()
    try:
        numbers = {str(name).strip('"'): number for name, number in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no list of classes, which maps names to numbers: {error}") from error
    names = tuple(sorted(numbers, key=numbers.__getitem__))
    known = kinetics400_classes()
    if [numbers[name] for name in names] != list(range(len(known))):
        raise ValueError(f"{path} must number {len(known)} classes from 0, got {len(names)} names")
    return names


def _nonlocal(name: str) -> PublishedNetwork:
    try:
        path = existing_path(name)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; the release's file is {RELEASE_URL}/{Path(name).name}") from error
    network = released_network(path)
    if network is None:
        raise ValueError(
            f"the name of {path} does not say which clips the network was trained on, and its tensors do not either: "
            "keep the name of the release, such as i3d_baseline_32x2_IN_pretrain_400k.pkl"
        )
    return _of_the_release(path, network)


def _of_the_release(path: Path, network: ReleasedNetwork) -> PublishedNetwork:
    views = EvaluationViews(
        clip_length=network.clip_length,
        interval=network.interval,
        short_side=256,
        crop_size=256,
        protocol="nonlocal",
        crops="three_crop",
    )
    top1 = PUBLISHED_TOP1.get(path.name)
    return PublishedNetwork(path, network.arch, network.norm, views, kinetics400_classes(), "CC-BY-NC 4.0", top1)


#: Kind of source -> what finds the network of a name.
KINDS: dict[SourceKindName, Callable[[str], PublishedNetwork]] = {
    "torchvision": _torchvision,
    "zoo": _zoo,
    "nonlocal": _nonlocal,
}
