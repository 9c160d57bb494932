"""A trained network from its checkpoint, without what only training needs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import nn

from videogn.models import make_model
from videogn.models.fit_checkpoint import read_fit_checkpoint

#: Prefix of the network's weights in a checkpoint.
_NETWORK = "net."


def load_network(checkpoint: str | Path, *, trust: Collection[str] = ()) -> tuple[nn.Module, dict[str, Any]]:
    """Load a checkpoint of `videogn fit` on the CPU.

    Args:
        checkpoint: File of the checkpoint. Only tensors and plain Python values are read from it.
        trust: Packages that may be imported where the checkpoint names a norm or a network from outside videogn.
            Default: none.

    Returns:
        The network in evaluation mode, from normalised clips (B, 3, T, H, W) to logits (B, K, T', H', W'), and the
        hyper-parameters of its training run, which say what it expects to see.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a checkpoint of `videogn fit`, or names code that is not trusted.
    """
    content = read_fit_checkpoint(checkpoint, trust=trust)
    about: dict[str, Any] = content["hyper_parameters"]
    net = make_model(
        about["arch"], len(about["class_names"]), about["norm"], about.get("norm_options"), about.get("arch_options")
    )
    weights = content["state_dict"].items()
    try:
        net.load_state_dict({name.removeprefix(_NETWORK): w for name, w in weights if name.startswith(_NETWORK)})
    except RuntimeError as error:  # a list of all names and shapes
        raise ValueError(f"{checkpoint} does not hold the weights of the network that it names") from error
    return net.eval(), about
