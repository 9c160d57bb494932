"""Checkpoints of `videogn fit`: a network's weights, and everything that its use needs to know."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from videogn.models.weight_sources import read_checkpoint
from videogn.trust import check_trusted

#: Some hyper-parameters that every such checkpoint has.
_REQUIRED = {"arch", "norm", "class_names", "mean", "std"}


def read_fit_checkpoint(path: str | Path, *, trust: Collection[str] = ()) -> dict[str, Any]:
    """Read a checkpoint of `videogn fit` on the CPU: only tensors and plain Python values. Nothing is imported.

    Args:
        path: File of the checkpoint.
        trust: Packages, modules or dotted paths that may be imported where the checkpoint names a norm or a network
            from outside videogn. Default: none.

    Returns:
        Content of the checkpoint, with at least "hyper_parameters" and "state_dict".

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a checkpoint of `videogn fit`, or names code that is not trusted.
    """
    content = read_checkpoint(path)
    about = content.get("hyper_parameters") if isinstance(content, dict) and "state_dict" in content else None
    if not isinstance(about, dict) or not about.keys() >= _REQUIRED:
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: it says nothing about the network")
    names = [about["arch"], about["norm"]]
    if not all(isinstance(name, str) for name in names):  # a file may hold functions of torch, which nothing must call
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: it does not name its network and norm in text")
    check_trusted(path, names, trust)
    return content
