"""A checkpoint of a network that was made without a training run, as `videogn fit` would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from videogn.models.head import classifier_of
from videogn.system.files import replacing
from videogn.training.task import VideoClassifier
from videogn.training.task_settings import CONTRACT, TaskSettings

#: Hyper-parameters of a task: what a network is and sees, and how it is used and trained.
_NAMES = {
    *CONTRACT,
    "class_names",
    "several_labels",
    "crops",
    "clips_per_forward",
    *(field.name for field in fields(TaskSettings)),
}


def task_for(about: Mapping[str, Any], **changes: Any) -> VideoClassifier:
    """Make the task of a network, with initial weights.

    Args:
        about: What is known of a network, as `videogn.inference.load_network` gives it; entries that no task has, such
            as the protocol of a published accuracy, are left out.
        **changes: Entries that are to be others.

    Raises:
        ValueError: A name or number is wrong.
    """
    return VideoClassifier(**{name: value for name, value in {**about, **changes}.items() if name in _NAMES})


def with_classifier(
    net: nn.Module, about: Mapping[str, Any], class_names: Sequence[str], weight: Tensor, bias: Tensor
) -> VideoClassifier:
    """Make the task of a network with another classifier.

    Args:
        net: Network whose other weights it has.
        about: What is known of it, as `videogn.inference.load_network` gives it.
        class_names: Names of the new classes.
        weight: Weight of the new classifier (K, C).
        bias: Its bias (K,).

    Raises:
        ValueError: The last layer of the network is no classifier, or has no bias.
    """
    kept = {name: about[name] for name in (*CONTRACT, "crops", "clips_per_forward") if name in about}
    task = task_for(kept, class_names=list(class_names))
    before = classifier_of(net, len(about["class_names"])).layer
    ends = [f"{name}." for name, module in net.named_modules() if module is before]
    trunk = {name: value for name, value in net.state_dict().items() if not name.startswith(tuple(ends))}
    task.net.load_state_dict(trunk, strict=False)
    layer: Any = classifier_of(task.net, len(class_names)).layer
    if layer.bias is None:
        raise ValueError(f"the classifier of {about['arch']} has no bias, which a linear probe needs")
    with torch.no_grad():
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(bias)
    return task


def write_network(task: VideoClassifier, path: str | Path, *, origin: Mapping[str, Any]) -> None:
    """Write a checkpoint that `predict`, `test` and `fit --model.init_from` take.

    Args:
        task: The task with its network.
        path: File to write.
        origin: Where the network comes from, in plain values; the results of a test repeat it.
    """
    content = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": pl.__version__,
        "state_dict": {name: tensor.cpu() for name, tensor in task.state_dict().items()},
        "hyper_parameters": dict(task.hparams),
        "training": dict(origin),
    }
    with replacing(path) as temporary, open(temporary, "wb") as file:  # an open file says why it cannot be written
        torch.save(content, file)
