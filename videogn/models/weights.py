"""Initial weights from a file or a collection: which tensors fit, and a report of what was done with each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.models.fairness import fairness_note
from videogn.models.foreign_names import LAYOUTS, STEM_CONV, is_head
from videogn.models.inflation import Triple, adapt_stem, inflate, input_for
from videogn.models.sources import SourceWeights, read_checkpoint, read_source

__all__ = ["WeightReport", "load_weights", "read_checkpoint"]

#: A running statistic tells the norms that keep them (BN and its kin) from those that do not (GN, LN, IN).
_RUNNING = ".running_mean"
#: No weights: how many batches a running statistic has seen (not every norm counts them), and Caffe2's momentum.
_NO_WEIGHTS = (".num_batches_tracked", "_momentum")
#: Of every ImageNet network with GN that is published in these layouts.
_IMAGENET_GROUPS = 32


@dataclass(frozen=True)
class WeightReport:
    """What became of every tensor, and what the network now expects to see.

    Attributes:
        loaded: copied; the first convolution may be adapted to the input's scale and channel order.
        inflated: made from a 2D kernel.
        skipped: in the source, not used; in the source's names.
        missing: in the network, left at their initial value.
        mean: RGB, in units of the full range: what has to be subtracted from the clips. None where it is not known.
        std: likewise, what they have to be divided by.
        notes: what a reader of the results has to know: the ImageNet accuracy of this start, a mean that does not fit.
    """

    loaded: list[str] = field(default_factory=list)
    inflated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mean: Triple | None = None
    std: Triple | None = None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        new = f"; new: {', '.join(self.missing)}" if self.missing else ""
        inputs = f"; input: (x / 255 - {_rounded(self.mean)}) / {_rounded(self.std)}" if self.mean and self.std else ""
        counts = f"{len(self.loaded)} tensors loaded, {len(self.inflated)} inflated, {len(self.skipped)} skipped"
        return "; ".join([counts + new + inputs, *self.notes])

    def details(self) -> str:
        """The report with every tensor's name, one list a line."""
        names = ("loaded", "inflated", "skipped", "missing")
        return "\n".join([str(self), *(f"{name}: {', '.join(getattr(self, name)) or '-'}" for name in names)])


def load_weights(
    model: nn.Module,
    source: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    norm: tuple[str, Mapping[str, Any]] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> WeightReport:
    """Initialise a network from a video network or, by mean inflation, from an ImageNet ResNet.

    The trunk has to match in every tensor, and so has the kind of norm: with running statistics or without. The
    classifier is left at its initial value when its shape or its classes differ, which is what fine-tuning on other
    classes needs. Resuming a training is another thing: `--ckpt_path`.

    Args:
        model: a network of `videogn.models`.
        source: a videogn checkpoint; a state dict (.pth, .pt, .safetensors) of a video network, or of a ResNet in
            torchvision's and timm's names; Detectron's R-50-GN.pkl; or `timm:NAME`, `torchvision:NAME`, `zoo:NAME`.
            Only tensors and plain Python values are read from a file; pickled objects are refused.
        class_names: what the network's outputs mean; compared with the checkpoint's where it says so.
        norm: name and options of the network's norm; compared with the checkpoint's where it says so.
        mean: RGB, what will be subtracted from the clips; None takes the source's. Another one than the source's leaves
            a constant offset of the input, which is noted.
        std: RGB, what the clips will be divided by; None takes the source's. Another one is folded into the first
            convolution, exactly.

    Returns:
        The report; its `mean` and `std` are those that the clips have to be normalised with.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not weights, an unknown name, or the trunk does not match; the network is as it was.
    """
    weights = read_source(source)
    own = model.state_dict()
    translate = LAYOUTS[weights.layout]
    named = {translate(key) or key: key for key in weights.tensors}  # our name -> the source's
    _require_same_norms(model, own, named, source)
    report = _new_report(weights, source, mean, std)
    report.notes.extend(_function_notes(model, weights, named))
    if norm is not None and weights.norm is not None and (norm[0], dict(norm[1])) != weights.norm:
        report.notes.append(
            f"the weights were trained with norm {_named(weights.norm)}, the network's is {_named(norm)}"
        )
    same_classes = class_names is None or weights.class_names is None or list(weights.class_names) == list(class_names)
    fitting: dict[str, Tensor] = {}
    for name, target in own.items():
        tensor = weights.tensors.get(named.get(name, ""))
        if tensor is not None and (same_classes or not is_head(name)):
            value = _fitted(tensor, target)
            if value is not None:
                fitting[name] = value
                (report.loaded if tensor.shape == target.shape else report.inflated).append(name)
                continue
        report.missing.append(name)
    report.skipped.extend(key for name, key in named.items() if name not in fitting)
    _require_trunk(own, weights.tensors, named, report, source, weights.layout)
    if weights.normalisation is not None and report.std is not None and STEM_CONV in fitting:
        fitting[STEM_CONV] = adapt_stem(fitting[STEM_CONV], weights.normalisation, report.std)
    model.load_state_dict(fitting, strict=False)
    return report


def _fitted(tensor: Tensor, target: Tensor) -> Tensor | None:
    """The tensor in the target's type and shape, or None; in that type before the division of an inflation."""
    tensor = tensor.to(target.dtype)
    return tensor if tensor.shape == target.shape else inflate(tensor, target.shape)


def _new_report(
    weights: SourceWeights, source: str | Path, mean: Sequence[float] | None, std: Sequence[float] | None
) -> WeightReport:
    """A report that says what the input has to be, and what there is to note about the source."""
    note = fairness_note(source)
    notes = [] if note is None else [note]
    if weights.normalisation is None:
        return WeightReport(notes=notes)
    wanted, _ = input_for(weights.normalisation)
    mean, std = input_for(weights.normalisation, mean, std)
    if any(abs(one - other) > 1e-6 for one, other in zip(mean, wanted, strict=True)):
        notes.append(
            f"the clips' mean {_rounded(mean)} is not the weights' own {_rounded(wanted)}: "
            "the network starts with every input shifted by the difference"
        )
    return WeightReport(mean=mean, std=std, notes=notes)


def _require_same_norms(model: nn.Module, own: Mapping[str, Tensor], named: Mapping[str, str], source: object) -> None:
    """Gamma and beta have the same names and shapes in every norm; running statistics tell the kinds apart."""
    given = [name for name in named if name.endswith(_RUNNING)]
    wanted = [name for name in own if name.endswith(_RUNNING)]
    if bool(given) == bool(wanted):
        return
    name = (given or wanted)[0]
    layers = dict(model.named_modules())
    layer = layers.get(name.removesuffix(_RUNNING))
    kind = "a norm that the weights do not know" if layer is None else type(layer).__name__
    theirs = "one with running statistics (BatchNorm and its kin)"
    ours = "one without running statistics (GroupNorm and its kin)"
    if not given:
        theirs, ours = ours, theirs
    raise ValueError(
        f"{source} does not fit the network: the norm of its weights is {theirs}, the network's, {kind}, is {ours}; "
        f"the first tensor without a partner is {name}"
    )


def _function_notes(model: nn.Module, weights: SourceWeights, named: Mapping[str, str]) -> list[str]:
    """What fits in shape, but is another function than the 2D network that was trained."""
    if weights.layout == "videogn":
        return []
    layers = dict(model.named_modules())
    conv, norm = layers.get("blocks.0.conv"), layers.get("blocks.0.norm")
    notes = []
    if type(conv) is not nn.Conv3d:
        notes.append(f"the weights were trained with plain convolutions, the network's are {type(conv).__name__}")
    # GN's gamma and beta fit any number of groups, and LN and IN too.
    without_statistics = not any(name.endswith(_RUNNING) for name in named)
    if without_statistics and norm is not None and not _is_group_norm(norm):
        notes.append(
            f"the weights were trained with GroupNorm of {_IMAGENET_GROUPS} groups, the network's norm is {norm}"
        )
    return notes


@torch.no_grad()
def _is_group_norm(norm: nn.Module) -> bool:
    """Whether a norm computes GroupNorm with ImageNet's number of groups, as its output tells."""
    state = norm.state_dict()
    gamma, beta = state.get("weight"), state.get("bias")
    if gamma is None or len(gamma) % _IMAGENET_GROUPS:
        return False
    # No two channels have the same mean and variance; both are large compared with eps.
    x = torch.linspace(0, 99, 4 * len(gamma), dtype=gamma.dtype, device=gamma.device).square().view(1, -1, 1, 2, 2)
    return torch.allclose(norm(x), F.group_norm(x, _IMAGENET_GROUPS, gamma, beta), atol=1e-3)


def _require_trunk(
    own: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    named: Mapping[str, str],
    report: WeightReport,
    source: object,
    layout: str,
) -> None:
    """Every tensor of the trunk has to have come from the source, and every one of the source has to have gone in."""
    wrong = [name for name in report.missing if not _may_differ(name)]
    if wrong:
        first = wrong[0]
        shapes = f" ({tuple(tensors[named[first]].shape)} for {tuple(own[first].shape)})" if first in named else ""
        raise ValueError(
            f"{source} does not fit the network: {len(wrong)} of {len(own)} tensors of the trunk are missing or have "
            f"another shape, the first is {first}{shapes}; do architecture and norm agree?"
        )
    skipped = set(report.skipped)
    unused = [key for name, key in named.items() if key in skipped and not _may_differ(name)]
    if layout == "caffe2":  # its files may hold the state of the solver too
        unused = [key for key in unused if re.match(r"conv1_|res\d", key)]
    if unused:
        raise ValueError(f"{source} has {len(unused)} tensors that the network lacks, the first is {unused[0]}")


def _may_differ(name: str) -> bool:
    return is_head(name) or name.endswith(_NO_WEIGHTS)


def _named(norm: tuple[str, Mapping[str, Any]]) -> str:
    return f"{norm[0]} {dict(norm[1])}" if norm[1] else norm[0]


def _rounded(values: Sequence[float] | None) -> str:
    return ", ".join(f"{value:.4g}" for value in values or ()).join("()")
