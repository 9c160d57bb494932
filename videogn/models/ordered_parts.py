"""The parts of a network in their order from the input to the head, as layer-wise learning rates count them."""

from __future__ import annotations

from torch import nn


def ordered_parts(net: nn.Module) -> dict[str, nn.Module]:
    """Divide a network into parts.

    The parts are the children of the network that have parameters, in the order in which it declares them. Where one of
    them is a list (its children are numbered, as those of ModuleList and Sequential), the members stand for the list;
    where several are, as the stages of a ResNet, each list is one part. A network that is wrapped in another is looked
    at itself. So an I3D has its stem, res2 to res5 and its head; a transformer its embedding, every block and its head.

    Args:
        net: Network.

    Returns:
        Name -> module, from the input to the head; {} for a network without parameters.

    Example:
        >>> from videogn.models import i3d_tiny
        >>> list(ordered_parts(i3d_tiny()))  # stem, res2, (a pool), res3, res4, res5, head
        ['blocks.0', 'blocks.1', 'blocks.3', 'blocks.4', 'blocks.5', 'blocks.6']
    """
    return _divided(net, "")


def part_of(parameter: str, parts: dict[str, nn.Module]) -> str:
    """Return the part that a parameter belongs to, by name: the first one if it is the network's own, as a token."""
    return next((part for part in parts if parameter.startswith(f"{part}.")), next(iter(parts)))


def _divided(module: nn.Module, prefix: str) -> dict[str, nn.Module]:
    parts = {prefix + name: child for name, child in _trained_children(module).items()}
    if len(parts) == 1 and not list(module.parameters(recurse=False)):
        ((name, child),) = parts.items()
        return _divided(child, f"{name}.") or parts
    lists = [name for name, child in parts.items() if _is_list(child)]
    if len(lists) != 1:
        return parts
    divided: dict[str, nn.Module] = {}
    for name, child in parts.items():
        members = _trained_children(child) if name in lists else {}
        divided |= {f"{name}.{number}": member for number, member in members.items()} or {name: child}
    return divided


def _is_list(module: nn.Module) -> bool:
    names = list(_trained_children(module))
    return len(names) > 1 and all(name.isdigit() for name in names)


def _trained_children(module: nn.Module) -> dict[str, nn.Module]:
    return {name: child for name, child in module.named_children() if next(child.parameters(), None) is not None}
