"""Parameters in groups: which ones decay, and the learning rate of each part of a network."""

from __future__ import annotations

from typing import Any

from torch import nn

from videogn.models.ordered_parts import ordered_parts, part_of

#: Key of a group with the factor on the learning rate of its part, as timm names it; absent without layer decay.
LR_SCALE = "lr_scale"


def parameter_groups(module: nn.Module, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Divide parameters into two groups: weights, and everything one-dimensional (norms' gamma and beta, biases).

    The first group has the weight decay of the optimiser, the second has none. The rule depends on the number of
    dimensions only, so that all norms are treated alike (weight decay 1e-4 on weights and 0 on norms: released code of
    Wang et al. 2018).

    With layer decay every part of the network (`videogn.models.ordered_parts`) has two such groups, from head to stem,
    whose rates are multiplied by `layer_decay` to the power of the number of parts behind it (Clark et al. 2020,
    ELECTRA; Bao et al. 2022, BEiT, appendix). The head has the full rate.

    Args:
        module: Module whose parameters are trained. Parameters that need no gradient are left out.
        layer_decay: Factor from a part of the network to the one before it. Default: 1, no difference.

    Returns:
        Groups for a torch optimiser; with layer decay each has its factor as "lr_scale" and its part's name as "part".
    """
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if layer_decay == 1:
        return _weights_and_others(trained)
    parts = ordered_parts(module)
    groups = []
    for depth, part in enumerate(reversed(parts)):
        own = {name: p for name, p in trained.items() if part_of(name, parts) == part}
        for group in _weights_and_others(own):
            if group["params"]:
                groups.append({**group, LR_SCALE: layer_decay**depth, "part": part})
    return groups


def _weights_and_others(parameters: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in parameters.values() if p.ndim > 1]},
        {"params": [p for p in parameters.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
