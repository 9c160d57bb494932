"""Sources of weights: files of several kinds, and the collections of timm, torchvision and pytorchvideo.

No code in a file is run: torch.load reads tensors only, safetensors holds nothing else, and Caffe2's pickles go through
`videogn.models.caffe2`.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videogn.checks import check_choice, did_you_mean, existing_path
from videogn.models.caffe2 import read_caffe2
from videogn.models.checkpoint_file import check_tensors, check_whole
from videogn.models.foreign_names import layout_of
from videogn.models.hub_files import hub_file
from videogn.models.hyper_parameters import REQUIRED, checked_hyper_parameters
from videogn.models.inflation import CAFFE2, DEFAULT, IMAGENET, KINETICS, InputNormalisation
from videogn.models.pretrained_config import read_config
from videogn.models.pretrained_folder import PretrainedFolder, find_pretrained, read_safetensors, read_tensors

#: A Lightning checkpoint holds the task, whose network is `net`; DataParallel adds `module`, pytorchvideo `model`.
_PREFIXES = ("net.", "module.", "model.")
_WRAPPINGS = ("state_dict", "model_state", "model")
#: Same names and shapes as resnet50, but blurred or averaged before each stride: another function.
_ANTI_ALIASED = ("resnetaa", "resnetblur")
#: Layout -> the input that its networks were trained on, where all of them share it.
_NORMALISATIONS = {
    "torchvision": IMAGENET,  # timm's too
    "caffe2": CAFFE2,
    "nonlocal": DEFAULT,
    "torchvision VideoResNet": KINETICS,
    "torchvision S3D": KINETICS,
    "torchvision MViT": DEFAULT,
    "torchvision Swin": IMAGENET,
}


@dataclass(frozen=True)
class SourceWeights:
    """A state dict in its source's names, with the known facts about it.

    Attributes:
        tensors: Name -> tensor.
        layout: Layout of the names, a key of `videogn.models.foreign_names.LAYOUTS`.
        normalisation: Input normalisation of the network; None if it is not known.
        class_names: Names of the classes in order; None if they are not known.
        norm: Name and options of the norm; None if they are not known.
    """

    tensors: dict[str, Tensor]
    layout: str
    normalisation: InputNormalisation | None
    class_names: list[str] | None = None
    norm: tuple[str, dict[str, Any]] | None = None


def read_source(source: str | Path) -> SourceWeights:
    """Read weights of any known kind.

    Args:
        source: A path, timm:NAME, torchvision:NAME, zoo:NAME, or hf:USER/NAME.

    Returns:
        The weights, on the CPU.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The source holds no weights, has an unknown name, or could not be downloaded.
    """
    kind, _, name = str(source).partition(":")
    if kind in _COLLECTIONS:
        return _COLLECTIONS[kind](name)
    if (folder := find_pretrained(source)) is not None:
        return _pretrained(folder)
    path = existing_path(source)
    if path.suffix == ".pkl" and not zipfile.is_zipfile(path):
        content: Any = read_caffe2(path)
    elif path.suffix == ".safetensors":
        content = read_safetensors(path)
    else:
        content = read_checkpoint(path)
    tensors = _state_dict(content, path)
    about = _about(content, path)
    try:  # a checkpoint of `videogn fit` has the names of its network, also of one from outside
        layout = "videogn" if about else layout_of(tensors)
    except ValueError as error:
        raise ValueError(f"{path} is not a file of weights: {error}") from error
    normalisation = _NORMALISATIONS.get(layout)
    if about:
        normalisation = normalisation or InputNormalisation(about["mean"], about["std"])
    norm = (about["norm"], dict(about.get("norm_options") or {})) if about else None
    return SourceWeights(tensors, layout, normalisation, about.get("class_names"), norm)


def read_checkpoint(source: str | Path) -> Any:
    """Read a file of `torch.save`, on the CPU.

    Args:
        source: The file. Only tensors and plain Python values are read; pickled objects are refused.

    Returns:
        Content of the file.

    Raises:
        OSError: The file does not exist or cannot be read.
        ValueError: The file was not written by `torch.save`, is damaged, or holds pickled objects.
    """
    path = existing_path(source)
    check_whole(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a dozen types; torch's own words advise to switch the safety off
        raise ValueError(
            f"{path} is not a checkpoint: it is damaged, was not written by torch.save, or holds pickled objects, "
            "which are refused because they can run code"
        ) from error
    check_tensors(path, content)
    return content


def _pretrained(folder: PretrainedFolder) -> SourceWeights:
    config = read_config(folder.path)
    assert config.views.mean is not None
    assert config.views.std is not None
    return SourceWeights(
        read_tensors(folder.path),
        "videogn",
        InputNormalisation(config.views.mean, config.views.std),
        list(config.class_names),
        (config.norm, dict(config.norm_options or {})),
    )


def _about(content: Any, path: Path) -> dict[str, Any]:
    """Hyper-parameters of a checkpoint of `videogn fit`, checked; of other files none."""
    stated = content.get("hyper_parameters")
    if not isinstance(stated, Mapping) or not stated.keys() >= set(REQUIRED):
        return {}
    try:
        return checked_hyper_parameters(stated)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _state_dict(content: Any, path: str | Path) -> dict[str, Tensor]:
    for key in _WRAPPINGS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} is not a file of weights (no state dict in it)")
    weights = {str(name): tensor for name, tensor in content.items()}
    for prefix in _PREFIXES:
        inner = {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
        weights = inner or weights
    return weights


def _timm(name: str) -> SourceWeights:
    """A 2D ResNet of timm; which of them have our shape is seen when they are fitted."""
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"timm:{name} needs timm: pip install 'videogn[weights]'") from error
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise ValueError(
            f"timm knows no model {architecture!r}{did_you_mean(architecture, timm.list_models('*resne*'))}"
        )
    if architecture.startswith(_ANTI_ALIASED):
        raise ValueError(f"timm:{name} does not fit: it filters before each stride, which an I3D does not")
    model = _fetched(f"timm:{name}", lambda: timm.create_model(name, pretrained=True))
    about = getattr(model, "pretrained_cfg", None) or {}
    normalisation = InputNormalisation(tuple(about.get("mean", IMAGENET.mean)), tuple(about.get("std", IMAGENET.std)))
    return _collected(f"timm:{name}", model.state_dict(), normalisation)


def torchvision_weights(name: str) -> Any:
    """Look up weights of torchvision by name, for instance `R3D_18_Weights.KINETICS400_V1`; nothing is fetched.

    Args:
        name: Name of the weights.

    Returns:
        torchvision's entry, with its url, transforms and meta.

    Raises:
        ValueError: There are no such weights.
    """
    from torchvision.models import get_weight, video

    try:
        return get_weight(name)
    except (KeyError, ValueError, AttributeError) as error:
        known = [f"ResNet50_Weights.{version}" for version in ("IMAGENET1K_V1", "IMAGENET1K_V2", "DEFAULT")]
        known += [f"{kind}.KINETICS400_V1" for kind in vars(video) if kind.endswith("_Weights")]
        hint = did_you_mean(name, known) or "; their names are like R3D_18_Weights.KINETICS400_V1"
        raise ValueError(f"torchvision knows no weights {name!r}{hint}") from error


def _torchvision(name: str) -> SourceWeights:
    """A 2D ResNet or a video network of torchvision, by the name of its weights."""
    weights = torchvision_weights(name)
    state = read_checkpoint(hub_file(f"torchvision:{name}", weights.url))
    preset = weights.transforms()
    normalisation = InputNormalisation(tuple(preset.mean), tuple(preset.std))
    collected = _collected(f"torchvision:{name}", state, normalisation)
    if collected.layout == "torchvision":  # of an image network, whose classifier is of no use
        return collected
    return replace(collected, class_names=list(weights.meta["categories"]))


def _zoo(name: str) -> SourceWeights:
    """A video network of pytorchvideo's zoo; `i3d_r50` is `i3d_r50_8x8`, the others go by their names."""
    from pytorchvideo.models.hub import csn, r2plus1d, resnet, slowfast, vision_transformers, x3d

    modules = (resnet, x3d, r2plus1d, csn, slowfast, vision_transformers)
    urls = {network: url for module in modules for network, url in module.checkpoint_paths.items()}
    check_choice("zoo", name, urls)
    content = read_checkpoint(hub_file(f"zoo:{name}", urls[name]))
    return _collected(f"zoo:{name}", _state_dict(content, f"zoo:{name}"), DEFAULT)


#: Prefix of a source -> its reader.
_COLLECTIONS: dict[str, Callable[[str], SourceWeights]] = {"timm": _timm, "torchvision": _torchvision, "zoo": _zoo}


def _fetched(source: str, fetch: Callable[[], Any]) -> Any:
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)  # without a network it warns at every retry, for a minute
    try:
        return fetch()
    except Exception as error:  # no network, a wrong tag, a wrong hash: each library has its own types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{source} could not be fetched: {reason}") from error
    finally:
        hub.setLevel(level)


def _collected(source: str, tensors: Mapping[str, Tensor], normalisation: InputNormalisation) -> SourceWeights:
    try:
        return SourceWeights(dict(tensors), layout_of(tensors), normalisation)
    except ValueError as error:
        raise ValueError(f"{source} does not fit: {error}") from error
