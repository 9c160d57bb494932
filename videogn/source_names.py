"""What the word for a network says by itself, before anything is read or fetched. No torch.

A source is a checkpoint file, a published network (`zoo:x3d_s`), a folder in the Hugging Face layout, or the id of a
repository on the Hugging Face Hub: `hf:user/name`, `hf:user/name@revision`, or `user/name` alone where nothing local
can be meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from videogn.checks import check_choice, did_you_mean, existing_path, expanded
from videogn.choices import ExportFormatName, SourceKindName, TorchvisionName, ZooName

#: Format of exported networks -> suffix of its files.
ENGINE_SUFFIXES: dict[ExportFormatName, str] = {"torch-export": ".pt2", "onnx": ".onnx", "openvino": ".xml"}
_HUB = "hf:"
#: Parts of an id as the Hub takes them.
_NAME = r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_ID = re.compile(rf"(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[\w./-]{{1,200}}))?", re.ASCII)
#: Suffixes of files of networks: `user/last.ckpt` is a mistyped path, not an id.
_FILES = (".ckpt", ".pt", ".pt2", ".pte", ".pth", ".pyth", ".pkl", ".bin", ".onnx", ".safetensors", ".xml", ".json")


@dataclass(frozen=True)
class HubId:
    """Repository on the Hugging Face Hub.

    Attributes:
        repo: User or organisation, a slash, and the name.
        revision: Branch, tag or commit. Default: the Hub's main branch.
    """

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{_HUB}{self.repo}" if self.revision is None else f"{_HUB}{self.repo}@{self.revision}"


def hub_id(source: str | Path) -> HubId | None:
    """Tell whether a source is the id of a repository on the Hub.

    With `hf:` before it, it always is. `user/name` alone is one unless a local file or folder can be meant: something
    of that name or a folder `user` exists, or the name ends like a file of weights.

    Args:
        source: Source as the user named it.

    Returns:
        The id, or None.

    Raises:
        ValueError: What follows `hf:` is no id.

    Example:
        >>> from videogn.source_names import hub_id
        >>> hub_id("hf:someone/x3d@v1.0")
        HubId(repo='someone/x3d', revision='v1.0')
        >>> hub_id("someone/x3d"), hub_id("someone/x3d.ckpt"), hub_id("zoo:x3d_s")
        (HubId(repo='someone/x3d', revision=None), None, None)
    """
    text = str(source)
    if text.startswith(_HUB):
        return repository(text)
    found = _ID.fullmatch(text)
    if not found or text.lower().endswith(_FILES) or expanded(text).exists() or Path(text).parent.is_dir():
        return None
    return HubId(found["repo"], found["revision"])


def repository(name: str) -> HubId:
    """Read the id of a repository on the Hub, with or without `hf:` before it.

    Args:
        name: Id as the user wrote it.

    Returns:
        The id.

    Raises:
        ValueError: It is no id.
    """
    found = _ID.fullmatch(name.removeprefix(_HUB))
    if not found or "--" in found["repo"] or ".." in name or found["repo"].endswith(".git"):
        raise ValueError(f"{name} is no id on the Hugging Face Hub: one is user/name, or user/name@revision")
    return HubId(found["repo"], found["revision"])


def torchvision_name(name: str) -> str:
    """Return the network that weights of torchvision are of.

    Args:
        name: Name of the weights.

    Returns:
        Name of the network in `torchvision.models.video`.

    Raises:
        ValueError: It is not named like weights, or its network is none of them.

    Example:
        >>> from videogn.source_names import torchvision_name
        >>> torchvision_name("R3D_18_Weights.KINETICS400_V1")
        'r3d_18'
    """
    names = get_args(TorchvisionName)
    network, weights, _ = name.partition("_Weights.")
    if not weights:
        hint = did_you_mean(name, (f"{each.upper()}_Weights.KINETICS400_V1" for each in names))
        raise ValueError(
            f"torchvision knows no weights {name!r}{hint or '; their names are like R3D_18_Weights.KINETICS400_V1'}"
        )
    if network.lower() not in names:
        raise ValueError(
            f"torchvision:{name} is no video network, at most weights to start from (--model.init_from); the video "
            f"networks are {', '.join(names)}{did_you_mean(network.lower(), names)}"
        )
    return network.lower()


def is_engine_file(source: str | Path) -> bool:
    """Tell whether a source is an exported network, by its suffix.

    Args:
        source: Source as the user named it.

    Example:
        >>> from videogn.source_names import is_engine_file
        >>> is_engine_file("model.ONNX"), is_engine_file("last.ckpt"), is_engine_file("zoo:x3d_s")
        (True, False, False)
    """
    return Path(source).suffix.lower() in ENGINE_SUFFIXES.values()


def check_not_exported(source: str | Path) -> None:
    """Refuse an exported network where weights are needed: it has a graph, and no tensors by the network's names.

    Args:
        source: Source as the user named it.

    Raises:
        ValueError: It is one.

    Example:
        >>> from videogn.source_names import check_not_exported
        >>> check_not_exported("zoo:x3d_s")
    """
    if is_engine_file(source):
        raise ValueError(f"{source} is an exported network; name the checkpoint that it was made of")


def check_source(source: str | Path) -> None:
    """Refuse a source that is named wrongly, or is a path that does not exist, without the imports that reading needs.

    Args:
        source: Source as the user named it.

    Raises:
        FileNotFoundError: It is a path, and does not exist.
        ValueError: There is no published network of this name, or what follows `hf:` is no id.
    """
    kind, _, name = str(source).partition(":")
    if kind == "zoo":
        check_choice(kind, name, get_args(ZooName))
    elif kind == "torchvision":
        torchvision_name(name)
    elif kind not in get_args(SourceKindName) and hub_id(source) is None:
        existing_path(source)
