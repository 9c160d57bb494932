"""Checkpoints of `videogn fit`: a network's weights, and everything that its use needs to know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from videogn.checks import expanded
from videogn.models.described_network import Described, Stored, check_tensors_fit
from videogn.models.hyper_parameters import checked_hyper_parameters
from videogn.models.stated_values import count, options
from videogn.models.weight_sources import read_checkpoint
from videogn.trust import check_trusted

#: Prefix of the network's weights in a checkpoint.
NETWORK = "net."
_MAX_SEED = 2**64 - 1


def read_fit_checkpoint(path: str | Path, *, trust: Collection[str] = ()) -> dict[str, Any]:
    """Read a checkpoint of `videogn fit` on the CPU: only tensors and plain Python values. Nothing is imported.

    Every door to such a file goes through here. Of its hyper-parameters those are taken that a training run writes,
    checked by type and range; none is a path. The network that they describe must be that of the weights.

    Args:
        path: File of the checkpoint.
        trust: Packages, modules or dotted paths that may be imported where the checkpoint names a norm or a network
            from outside videogn. Default: none.

    Returns:
        Content of the checkpoint, with at least "hyper_parameters" and "state_dict".

    Raises:
        OSError: The file does not exist or cannot be read.
        ValueError: The file is not a checkpoint of `videogn fit`, or names code that is not trusted.
    """
    content = read_checkpoint(path)
    if not isinstance(content, dict) or not isinstance(content.get("hyper_parameters"), Mapping):
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: it says nothing about the network")
    try:
        about = checked_hyper_parameters(content["hyper_parameters"])
        _check_facts(content.get("training"))
    except ValueError as error:
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: {error}") from error
    check_trusted(path, [about["arch"], about["norm"]], trust)
    _check_network(expanded(path), about, network_weights(content, path))
    return {**content, "hyper_parameters": about}


def _check_facts(stated: Any) -> None:
    """Check the facts of the training run: names and numbers, which results repeat; the first versions wrote none."""
    facts = options("training", stated, most=_MAX_SEED) or {}
    count("training.seed", facts.get("seed", 0), _MAX_SEED, least=0)


def network_weights(content: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint's network, in its own names.

    Raises:
        ValueError: The checkpoint holds something else in their place.
    """
    state = content.get("state_dict")
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: it holds no weights")
    return {name.removeprefix(NETWORK): value for name, value in state.items() if name.startswith(NETWORK)}


def _check_network(path: Path, about: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of another network than the one that is named; one from outside is refused when it is built."""
    classes = len(about["class_names"])
    of_norm, of_arch = about.get("norm_options"), about.get("arch_options")
    described = Described(path, about["arch"], classes, about["norm"], of_norm, of_arch)
    if described.is_ours:
        given = {name: Stored(tuple(w.shape), _kind(w), w.is_floating_point()) for name, w in weights.items()}
        check_tensors_fit(path, "it", described.tensors(), given)


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
