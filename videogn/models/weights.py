"""Initial weights from a file or a collection, with a report of what was done with each tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.models.fairness import fairness_note
from videogn.models.foreign_names import head_prefix, stem_convs, translation
from videogn.models.inflation import InputNormalisation, Triple, adapt_stem, folding_error, inflate, input_for
from videogn.models.nonlocal_release import release_notes, with_statistics
from videogn.models.weight_sources import SourceWeights, read_checkpoint, read_source

__all__ = ["WeightReport", "load_weights", "read_checkpoint"]

#: Suffixes that tell the norms with running statistics (BN and its kin) from those without (GN, LN, IN).
_RUNNING = (".running_mean", ".running_var")
#: Suffix of counters of batches, which some norms lack.
_COUNTER = ".num_batches_tracked"
#: Suffixes of tensors that are no weights: counters, Caffe2's momentum, statistics of single sub-batches.
_NO_WEIGHTS = (_COUNTER, "_momentum", ".split_mean", ".split_var")
#: Number of groups in all published ImageNet networks with GN in these layouts.
_IMAGENET_GROUPS = 32
#: Largest part of the outputs of a first convolution that is rounding.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class WeightReport:
    """Report of what was done with each tensor, and the input normalisation that the network now expects.

    Attributes:
        loaded: Names of copied tensors. The first convolution may be adapted to scale and channel order of the input.
        inflated: Names of tensors made from a 2D kernel.
        skipped: Names, in the source, of tensors that were not used.
        missing: Names of the network's weights that kept their initial values; counters of batches are none.
        mean: RGB mean to subtract from the clips, in units of the full range; None if it is not known.
        std: RGB standard deviation to divide the clips by, in the same units; None if it is not known.
        notes: Remarks for the reader of the results: the ImageNet accuracy of this start, a mean that does not fit.
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
        """Return the report with the names of all tensors, one list per line."""
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

    All tensors of the trunk must match, and so must the kind of norm: with or without running statistics. The
    classifier keeps its initial values if its shape or its classes differ, as fine-tuning on other classes needs. To
    resume a training run, use `--ckpt_path` instead.

    Args:
        model: Network of `videogn.models`.
        source: A videogn checkpoint; a state dict (.pth, .pt, .safetensors) of a video network, or of a ResNet in
            torchvision's and timm's names; Detectron's R-50-GN.pkl; the Non-local release's i3d_baseline_*.pkl and its
            ImageNet start; a folder or `hf:USER/NAME` in the Hugging Face layout; or `timm:NAME`,
            `torchvision:NAME`, `zoo:NAME`.
            Only tensors and plain Python values are read from a file; pickled objects are refused.
        class_names: Names of the network's classes, compared with those in the checkpoint. Default: not compared.
        norm: Name and options of the network's norm, compared with those in the checkpoint. Default: not compared.
        mean: RGB mean of the input. Default: the source's. Any other leaves a constant offset, which is noted.
        std: RGB standard deviation of the input. Default: the source's. Any other is folded into the first
            convolution, exactly; one that changes its weights in use (ws+gn, nf, mabn) cannot take it up, which is
            noted.

    Returns:
        The report. Its `mean` and `std` are those to normalise the clips with.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The source holds no weights or has an unknown name, or the trunk does not match. The network is
            unchanged.

    Example:
        >>> import tempfile, torch
        >>> from videogn.models import i3d_tiny, load_weights
        >>> trained = i3d_tiny(num_classes=8)
        >>> with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        ...     torch.save(trained.state_dict(), file.name)
        ...     report = load_weights(i3d_tiny(num_classes=3), file.name)
        >>> len(report.loaded), report.missing  # a new classifier for 3 classes
        (51, ['blocks.6.proj.weight', 'blocks.6.proj.bias'])
    """
    given = read_source(source)
    weights = _for_network(given, model, source)
    own = model.state_dict()
    translate = translation(weights.layout, own, weights.tensors)
    head = head_prefix(own)
    named = {translate(key) or key: key for key in weights.tensors}  # our name -> the source's
    _require_same_norms(model, own, named, source)
    report = _new_report(weights, source, mean, std)
    report.notes.extend(_function_notes(model, weights, named))
    if given.layout == "nonlocal":
        report.notes.extend(release_notes(source, given.tensors, model))
    if norm is not None and weights.norm is not None and (norm[0], dict(norm[1])) != weights.norm:
        report.notes.append(
            f"the weights were trained with norm {_named(weights.norm)}, the network's is {_named(norm)}"
        )
    same_classes = class_names is None or weights.class_names is None or list(weights.class_names) == list(class_names)
    fitting: dict[str, Tensor] = {}
    for name, target in own.items():
        tensor = weights.tensors.get(named.get(name, ""))
        if tensor is not None and (same_classes or not name.startswith(head)):
            # The release's video networks without an extent in time are others, of which no kernel is inflated.
            value = _fitted(tensor, target, inflating=weights.layout != "nonlocal" or tensor.ndim == 4)
            if value is not None:
                fitting[name] = value
                (report.loaded if tensor.shape == target.shape else report.inflated).append(name)
                continue
        if not name.endswith(_NO_WEIGHTS):
            report.missing.append(name)
    report.skipped.extend(key for name, key in named.items() if name not in fitting)
    _require_trunk(own, weights, named, report, source)
    _keep_still(model, fitting, report.inflated)
    if weights.normalisation is not None and report.std is not None:
        for stem in fitting.keys() & set(stem_convs(model)):
            conv = model.get_submodule(stem.removesuffix(".weight"))
            if std is not None:
                report.notes.extend(_folding_note(conv, fitting[stem], weights.normalisation, report.std))
            fitting[stem] = adapt_stem(fitting[stem], weights.normalisation, report.std)
    model.load_state_dict(fitting, strict=False)
    return report


def _for_network(weights: SourceWeights, model: nn.Module, source: str | Path) -> SourceWeights:
    """Give weights of a norm without statistics those that a network with a place for them needs."""
    if weights.layout != "nonlocal":
        return weights
    try:
        return replace(weights, tensors=with_statistics(weights.tensors, model))
    except ValueError as error:
        raise ValueError(f"{source} does not fit the network: {error}") from error


def _fitted(tensor: Tensor, target: Tensor, *, inflating: bool) -> Tensor | None:
    """Return the tensor in the target's dtype and shape, or None if it does not fit."""
    tensor = tensor.to(target.dtype)
    if tensor.shape == target.shape:
        return tensor
    return inflate(tensor, target.shape) if inflating else None


def _keep_still(model: nn.Module, fitting: dict[str, Tensor], inflated: Sequence[str]) -> None:
    """Let gamma take back what a convolution that scales its own weights makes of inflated ones, see `inflate`."""
    for name in inflated:
        conv: Any = model.get_submodule(name.removesuffix(".weight"))
        gamma = re.sub(r"conv(_[abc])?\.weight$", r"norm\1.weight", name)
        if hasattr(conv, "still_gain") and gamma in fitting:
            fitting[gamma] = fitting[gamma] / conv.still_gain(conv.kernel_size[0])


def _new_report(
    weights: SourceWeights, source: str | Path, mean: Sequence[float] | None, std: Sequence[float] | None
) -> WeightReport:
    """Make a report with the input normalisation and the notes about the source."""
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


def _folding_note(conv: nn.Module, kernel: Tensor, source: InputNormalisation, std: Triple) -> list[str]:
    error = folding_error(conv, kernel, source, std)
    if error < _ROUNDING:
        return []
    return [
        f"the clips' std {_rounded(std)} is not the weights' own, and {type(conv).__name__}, which changes its weights "
        f"in use, cannot take up the difference: what the first convolution gives is {error:.0%} off"
    ]


def _require_same_norms(model: nn.Module, own: Mapping[str, Tensor], named: Mapping[str, str], source: object) -> None:
    """Gamma and beta have the same names and shapes in every norm; running statistics tell the kinds apart."""
    given = [name for name in named if name.endswith(_RUNNING)]
    wanted = [name for name in own if name.endswith(_RUNNING)]
    if bool(given) == bool(wanted):
        return
    name = (given or wanted)[0]
    layers = dict(model.named_modules())
    layer = layers.get(name.rpartition(".")[0])
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
    """Note layers that fit in shape but compute another function than in the 2D network that was trained."""
    if weights.layout not in ("torchvision", "caffe2"):
        return []
    layers = dict(model.named_modules())
    conv, norm = layers.get("blocks.0.conv"), layers.get("blocks.0.norm")
    notes = []
    if conv is not None and type(conv) is not nn.Conv3d:
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
    weights: SourceWeights,
    named: Mapping[str, str],
    report: WeightReport,
    source: object,
) -> None:
    """Refuse a source that lacks a tensor of the trunk, or has one that the trunk lacks."""
    tensors, head = weights.tensors, head_prefix(own)
    wrong = [name for name in report.missing if not _may_differ(name, head)]
    if wrong:
        first = wrong[0]
        shapes = f" ({tuple(tensors[named[first]].shape)} for {tuple(own[first].shape)})" if first in named else ""
        raise ValueError(
            f"{source} does not fit the network: {len(wrong)} of {len(own)} tensors of the trunk are missing or have "
            f"another shape, the first is {first}{shapes}; do architecture and norm agree?"
        )
    skipped = set(report.skipped)
    unused = [key for name, key in named.items() if key in skipped and not _may_differ(name, head)]
    if weights.layout in ("caffe2", "nonlocal"):  # their files may hold the state of the solver too
        unused = [key for key in unused if re.match(r"conv1_|res", key)]
    if unused:
        raise ValueError(f"{source} has {len(unused)} tensors that the network lacks, the first is {unused[0]}")


def _may_differ(name: str, head: str) -> bool:
    return name.startswith(head) or name.endswith(_NO_WEIGHTS)


def _named(norm: tuple[str, Mapping[str, Any]]) -> str:
    return f"{norm[0]} {dict(norm[1])}" if norm[1] else norm[0]


def _rounded(values: Sequence[float] | None) -> str:
    return ", ".join(f"{value:.4g}" for value in values or ()).join("()")
