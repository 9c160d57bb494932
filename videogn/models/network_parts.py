"""Parts of a network that are named to be frozen: its stages, its classifier, its norms, or any module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from videogn.checks import did_you_mean
from videogn.models.head import classifier_of
from videogn.norm.precise_statistics import tracking_layers

#: Parts that every network has; `head` is its classifier, `backbone` everything else.
PARTS = ("backbone", "head", "norms")


@dataclass(frozen=True)
class Part:
    """A part of a network, as names of `named_parameters` and `named_modules`.

    Attributes:
        parameters: Its parameters.
        modules: Its modules, those without parameters within them too.
    """

    parameters: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()

    def __or__(self, other: Part) -> Part:
        return Part(self.parameters | other.parameters, self.modules | other.modules)

    def __sub__(self, other: Part) -> Part:
        return Part(self.parameters - other.parameters, self.modules - other.modules)


def find_part(net: nn.Module, name: str, num_classes: int) -> Part:
    """Find a part of a network.

    Args:
        net: Network. One that has stages names them in an attribute `stage_names`: stage -> name of its module.
        name: `backbone`, everything but the classifier; `head`, the classifier; `norms`, all layers whose own
            parameters are one-dimensional (gamma and beta) or that keep running statistics; a stage, such as `res2`; or
            the beginning of a name of modules or parameters, such as `blocks.0` or `features.3`.
        num_classes: Number of classes K.

    Raises:
        ValueError: There is no such part, or the classifier is asked for and the last layer is none.

    Example:
        >>> from videogn.models import i3d_tiny
        >>> sorted(find_part(i3d_tiny(), "head", 8).parameters)
        ['blocks.6.proj.bias', 'blocks.6.proj.weight']
    """
    stages = stages_of(net)
    if name == "norms":
        return _of_modules(net, _norm_layers(net), within=False)
    if name in ("head", "backbone"):
        classifier = classifier_of(net, num_classes).layer
        head = _below(net, next(prefix for prefix, module in net.named_modules() if module is classifier))
        if name == "head":
            return head
        everything = Part(frozenset(each for each, _ in net.named_parameters()))
        return (everything - head) | _of_modules(net, _beside(net, classifier), within=True)
    part = _below(net, stages.get(name, name))
    if not part.parameters:
        valid = [*PARTS, *stages]
        modules = [each for each, _ in net.named_modules() if each]
        example = f"such as {modules[0]}" if modules else "of which this network shows none"
        raise ValueError(
            f"freeze must name {', '.join(valid)} or the beginning of a module's name, {example}, got {name!r}"
            f"{did_you_mean(name, valid) or did_you_mean(name, modules)}"
        )
    return part


def part_names(given: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the names of parts as an option has them: one, several in a text with commas, a list of them, or none."""
    names = given.split(",") if isinstance(given, str) else given or ()
    return tuple(dict.fromkeys(name.strip() for name in names))


def stages_of(net: nn.Module) -> Mapping[str, str]:
    """Return the stages of a network, from stem to head: stage -> name of its module; empty if it names none."""
    return getattr(net, "stage_names", {})


def freeze(net: nn.Module, names: Iterable[str], num_classes: int, released: Iterable[str] = ()) -> None:
    """Freeze parts of a network: their parameters need no gradient, their modules compute as in evaluation.

    Args:
        net: Network; it is changed.
        names: Parts, as for `find_part`.
        num_classes: Number of classes K.
        released: Parts of them that train all the same. Default: none.

    Raises:
        ValueError: There is no such part, or nothing is left to train.
    """
    frozen = without_released(
        {name: find_part(net, name, num_classes) for name in names},
        {name: find_part(net, name, num_classes) for name in released},
    )
    if frozen.parameters:
        check_trains(net, frozen)
        set_frozen(net, frozen, frozen)


def without_released(frozen: Mapping[str, Part], released: Mapping[str, Part]) -> Part:
    """What is left of frozen parts when some are released; `norms` stays frozen until `norms` itself is released."""
    left = Part()
    for name, part in frozen.items():
        for other, free in released.items():
            if name != "norms" or other == "norms":
                part -= free
        left |= part
    return left


def set_frozen(net: nn.Module, frozen: Part, among: Part) -> None:
    """Freeze a part of a network, and let the rest of a larger part train.

    Args:
        net: Network; it is changed.
        frozen: What is frozen.
        among: What may change; everything else stays as it is.
    """
    for name, parameter in net.named_parameters():
        if name in among.parameters:
            parameter.requires_grad_(name not in frozen.parameters)
    for name, module in net.named_modules():
        if name in among.modules:
            module.training = name not in frozen.modules


def check_trains(net: nn.Module, frozen: Part) -> None:
    """Refuse to freeze everything that would train."""
    if all(name in frozen.parameters for name, parameter in net.named_parameters() if parameter.requires_grad):
        raise ValueError("freeze leaves nothing to train: leave a part out of it, the head for instance")


def _norm_layers(net: nn.Module) -> Iterator[str]:
    """Names of the layers with gamma and beta only, or with running statistics."""
    tracking = tracking_layers(net)
    for name, module in net.named_modules():
        own = list(module.parameters(recurse=False))
        if name in tracking or (own and all(parameter.ndim <= 1 for parameter in own)):
            yield name


def _beside(module: nn.Module, classifier: nn.Module, prefix: str = "") -> Iterator[str]:
    """Names of the largest modules that have weights and do not hold the classifier."""
    for name, child in module.named_children():
        if any(each is classifier for each in child.modules()):
            yield from _beside(child, classifier, f"{prefix}{name}.")
        elif child.state_dict():
            yield f"{prefix}{name}"


def _of_modules(net: nn.Module, names: Iterable[str], *, within: bool) -> Part:
    part = Part()
    for name in names:
        if within:
            part |= _below(net, name)
        else:
            own = net.get_submodule(name).named_parameters(name, recurse=False)
            part |= Part(frozenset(each for each, _ in own), frozenset([name]))
    return part


def _below(net: nn.Module, prefix: str) -> Part:
    """All parameters and modules of this name, or whose names go on from it after a dot."""

    def belongs(name: str) -> bool:
        return name == prefix or name.startswith(f"{prefix}.")

    return Part(
        frozenset(name for name, _ in net.named_parameters() if belongs(name)),
        frozenset(name for name, _ in net.named_modules() if name and belongs(name)),
    )
