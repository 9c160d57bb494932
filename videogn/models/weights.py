"""Initial weights from a file: which tensors fit, and a report of what was done with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videogn.names import existing_path

#: The classifier is the only part that may differ in shape: it is new when the number of classes is.
_HEAD = "proj."
#: A Lightning checkpoint holds the task, whose network is `net`.
_TASK_PREFIX = "net."


@dataclass(frozen=True)
class WeightReport:
    """What became of every tensor.

    Attributes:
        loaded: copied as they are.
        inflated: copied from a 2D kernel.
        skipped: in the file, not used.
        missing: in the network, left at their initial value.
    """

    loaded: list[str] = field(default_factory=list)
    inflated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        new = f"; new: {', '.join(self.missing)}" if self.missing else ""
        return f"{len(self.loaded)} tensors loaded, {len(self.inflated)} inflated, {len(self.skipped)} skipped{new}"


def load_weights(model: nn.Module, source: str | Path, *, class_names: Sequence[str] | None = None) -> WeightReport:
    """Initialise a network from a videogn checkpoint, a plain state dict or pytorchvideo's `{"model_state": ...}`.

    The trunk has to match in every tensor. The classifier is left at its initial value when its shape or its classes
    differ, which is what fine-tuning on other classes needs. Resuming a training is another thing: `--ckpt_path`.

    Args:
        model: a network of `videogn.models`.
        source: the file. Only tensors and plain Python values are read from it; pickled objects are refused.
        class_names: what the network's outputs mean; compared with the checkpoint's where it says so.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a file of weights, or the trunk does not match.
    """
    content = read_checkpoint(source)
    weights = _state_dict(content, source)
    hparams = content.get("hyper_parameters", {})
    same_classes = class_names is None or list(hparams.get("class_names", class_names)) == list(class_names)
    own = model.state_dict()
    report = WeightReport()
    fitting: dict[str, Tensor] = {}
    for name, tensor in own.items():
        fits = name in weights and weights[name].shape == tensor.shape
        if fits and (same_classes or _HEAD not in name):
            fitting[name] = weights[name]
            report.loaded.append(name)
        else:
            report.missing.append(name)
    report.skipped.extend(name for name in weights if name not in fitting)
    wrong = [name for name in report.missing if _HEAD not in name]
    if wrong:
        raise ValueError(
            f"{source} does not fit the network: {len(wrong)} of {len(own)} tensors of the trunk are missing or have "
            f"another shape, the first is {wrong[0]}; do architecture and norm agree?"
        )
    unused = [name for name in report.skipped if _HEAD not in name]
    if unused:
        raise ValueError(f"{source} has {len(unused)} tensors that the network lacks, the first is {unused[0]}")
    model.load_state_dict(fitting, strict=False)
    return report


def read_checkpoint(source: str | Path) -> Any:
    """Read what `torch.save` wrote, on the CPU.

    Args:
        source: the file. Only tensors and plain Python values are read from it; pickled objects are refused.

    Returns:
        The content.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file.
    """
    path = existing_path(source)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a dozen types; torch's own words advise to switch the safety off
        raise ValueError(
            f"{path} is not a checkpoint: it is damaged, was not written by torch.save, or holds pickled objects, "
            "which are refused because they can run code"
        ) from error


def _state_dict(content: Any, path: str | Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model_state"):
        if isinstance(content, Mapping) and key in content:
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} is not a file of weights (no state dict in it)")
    weights = {str(name): tensor for name, tensor in content.items()}
    task = {name.removeprefix(_TASK_PREFIX): t for name, t in weights.items() if name.startswith(_TASK_PREFIX)}
    return task or weights
