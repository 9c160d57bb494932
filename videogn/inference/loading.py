"""A network from its source, a checkpoint, a published one or an exported file, without what only training needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from videogn.models import load_weights, make_model
from videogn.models.fit_checkpoint import network_weights, read_fit_checkpoint
from videogn.models.network_sources import PublishedNetwork, published_network
from videogn.source_names import is_engine_file


def load_network(checkpoint: str | Path, *, trust: Collection[str] = ()) -> tuple[nn.Module, dict[str, Any]]:
    """Load a network on the CPU: one of `videogn fit`, a published one, or one that `videogn export` wrote.

    Args:
        checkpoint: File of the checkpoint; folder or id on the Hub in the Hugging Face layout; or `torchvision:NAME`,
            `zoo:NAME`, `nonlocal:FILE`: only tensors and plain Python values are read. Or an exported file, which goes
            on running on the CPU.
        trust: Packages that may be imported where the checkpoint names a norm or a network from outside videogn.
            Default: none.

    Returns:
        The network in evaluation mode, from normalised clips (B, 3, T, H, W) to logits (B, K, T', H', W'), and the
        hyper-parameters of its training run, which say what it expects to see; of a published network those that are
        known, and the clips and crops of its published accuracy.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a checkpoint of `videogn fit`, or names code that is not trusted; there is no such
            published network, or it could not be fetched; or an exported file cannot be opened.
        ModuleNotFoundError: The package that runs an exported file is missing.
    """
    published = published_network(checkpoint, trust=trust)
    if published is not None:
        return _published(published)
    if is_engine_file(checkpoint):
        from videogn.engine_files import open_engine  # few networks need it

        engine = open_engine(checkpoint)
        return engine.eval(), engine.description.about
    content = read_fit_checkpoint(checkpoint, trust=trust)
    about: dict[str, Any] = content["hyper_parameters"]
    net = make_model(
        about["arch"], len(about["class_names"]), about["norm"], about.get("norm_options"), about.get("arch_options")
    )
    try:
        net.load_state_dict(network_weights(content, checkpoint))
    except RuntimeError as error:  # a list of all names and shapes
        raise ValueError(f"{checkpoint} does not hold the weights of the network that it names") from error
    return net.eval(), about


def refuse_several_labels(about: Mapping[str, Any], what: str) -> None:
    """Refuse a network of videos that may show several classes for what needs one class a video.

    Args:
        about: Hyper-parameters of the network's training run.
        what: What needs it, for the message.

    Raises:
        ValueError: It is such a network.
    """
    if about.get("several_labels", False):
        raise ValueError(f"{what} needs a network of one class a video, and this one gives several labels")


def _published(source: PublishedNetwork) -> tuple[nn.Module, dict[str, Any]]:
    net = make_model(source.arch, len(source.class_names), source.norm, source.norm_options, source.arch_options)
    report = load_weights(net, source.weights)
    if report.missing:  # only a classifier may differ
        raise ValueError(f"{source.weights} has no classifier of {len(source.class_names)} classes")
    about: dict[str, Any] = {"arch": source.arch, "norm": source.norm, "class_names": list(source.class_names)}
    about |= {"norm_options": source.norm_options, "arch_options": source.arch_options, **asdict(source.views)}
    about |= {"mean": report.mean, "std": report.std, "clips_per_forward": source.clips_per_forward}
    return net.eval(), about
