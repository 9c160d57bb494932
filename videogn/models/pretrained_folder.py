"""Folders in the Hugging Face layout, local ones and those of the Hub: config.json and model.safetensors.

No code of a folder is run, whatever lies in it: only these two files are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from videogn.checks import expanded
from videogn.models.described_network import Described, Stored, check_tensors_fit
from videogn.models.pretrained_config import CONFIG, PretrainedConfig, read_config
from videogn.source_names import HubId, hub_id
from videogn.trust import check_trusted

WEIGHTS = "model.safetensors"
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class PretrainedFolder:
    """Folder in the Hugging Face layout, on this machine.

    Attributes:
        path: The folder.
        source: What names it for good: the folder, or its repository at the commit that was fetched.
    """

    path: Path
    source: str | Path


def find_pretrained(source: str | Path) -> PretrainedFolder | None:
    """Find the folder that a source names; one on the Hub is fetched, if it is not in its cache.

    Args:
        source: Local folder, or id on the Hub, see `videogn.source_names.hub_id`.

    Returns:
        The folder, or None if the source is something else.

    Raises:
        ModuleNotFoundError: huggingface_hub is not installed.
        ValueError: The repository could not be fetched.
    """
    repository = hub_id(source)
    if repository is not None:
        path = _fetched(repository, source)
        commit = path.name if _COMMIT.fullmatch(path.name) else repository.revision
        return PretrainedFolder(path, str(HubId(repository.repo, commit)))
    local = expanded(source)
    return PretrainedFolder(local, local) if local.is_dir() else None


def describe_pretrained(folder: PretrainedFolder, *, trust: Collection[str] = ()) -> PretrainedConfig:
    """Read what a folder's network is, and check that its weights are those of this network.

    Args:
        folder: The folder.
        trust: Packages that may be imported where the folder names a norm or a network from outside videogn. Default:
            none.

    Returns:
        Content of its config.json.

    Raises:
        ValueError: A value is wrong, code is named that is not trusted, or a tensor is missing, is left over or has
            another shape or kind of numbers.
    """
    config = read_config(folder.path)
    path = folder.path / CONFIG
    check_trusted(path, [config.arch, config.norm], trust)
    given = _stored(_weights_of(folder.path))
    classes = len(config.class_names)
    described = Described(path, config.arch, classes, config.norm, config.norm_options, config.arch_options)
    check_tensors_fit(folder.path / WEIGHTS, CONFIG, described.tensors(), given)
    return config


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Read a folder's model.safetensors, on the CPU.

    Raises:
        ValueError: There is none, or it was not written by safetensors.
    """
    return read_safetensors(_weights_of(folder))


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a file of safetensors, on the CPU.

    Args:
        path: The file. It can hold nothing but tensors.

    Raises:
        ValueError: It is damaged, or was not written by safetensors.
    """
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # the reader's own type, or the system's
        raise ValueError(f"{path} is not a checkpoint: it is damaged or was not written by safetensors") from error


def _weights_of(folder: Path) -> Path:
    path = folder / WEIGHTS
    if not path.is_file():
        raise ValueError(f"{folder} has no {WEIGHTS}; other files of weights in such a folder are not read")
    return path


def _stored(path: Path) -> dict[str, Stored]:
    """Every tensor of a file, as its header says."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
            kinds = {name: piece.get_dtype() for name, piece in slices.items()}
            shapes = {name: tuple(piece.get_shape()) for name, piece in slices.items()}
    except Exception as error:
        raise ValueError(f"{path} is damaged or was not written by safetensors, and nothing else is read") from error
    return {name: Stored(shapes[name], kind, kind.startswith(("F", "BF"))) for name, kind in kinds.items()}


def _fetched(repository: HubId, source: str | Path) -> Path:
    missing = "" if str(source).startswith("hf:") else f"no such file or folder: {source}; "
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{missing}{repository} on the Hugging Face Hub needs huggingface_hub: pip install 'videogn[hub]'"
        ) from error
    try:
        path = snapshot_download(repository.repo, revision=repository.revision, allow_patterns=[CONFIG, WEIGHTS])
    except Exception as error:  # no network, no such repository, no permission, a full disk: a dozen types
        raise ValueError(missing + _unfetched(repository, error)) from error
    return Path(path)


def _unfetched(repository: HubId, error: Any) -> str:
    from huggingface_hub import errors

    missing = (errors.RepositoryNotFoundError, errors.GatedRepoError, errors.RevisionNotFoundError)
    if isinstance(error, missing):
        revision = f" with the revision {repository.revision}" if repository.revision else ""
        return (
            f"the Hugging Face Hub shows no repository {repository.repo}{revision}: is the name mistyped, or is it "
            "private, for which `hf auth login` is needed?"
        )
    reason = (str(error).strip().removeprefix("Got: ").splitlines() or [type(error).__name__])[0]
    return (
        f"{repository} could not be fetched and is not in the cache: {reason}; where there is a network, "
        f"`hf download {repository.repo} --local-dir FOLDER`, and give FOLDER in its place"
    )
