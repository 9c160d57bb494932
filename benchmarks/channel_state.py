"""What the channels of a network do on fixed clips: which never pass a ReLU, and how much differs between clips."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from videogn.models.head import classifier_of


@contextlib.contextmanager
def inputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what goes into some modules while the context is open: name -> inputs, in the order of the calls."""
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: seen[name].append(inputs[0].detach())

    hooks = [module.register_forward_pre_hook(watch(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def channel_state(net: nn.Module, clips: Tensor, num_classes: int) -> dict[str, float]:
    """Measure a network, as in training (batch statistics where it has them) and without a change to it.

    Args:
        net: Network with ReLUs and a linear classifier.
        clips: Normalised clips (B, 3, T, H, W).
        num_classes: Number of classes K.

    Returns:
        Of the channels before the ReLUs: the share that is dead (never > 0) and near-dead (> 0 at less than 1 % of the
        positions); the mean over channels of mu^2 / (mu^2 + sigma^2) and of the variance of the clips' means as a share
        of mu^2 + sigma^2. Of the features that the classifier sees: the squared length of their mean over clips
        (`shared`), the mean squared distance from it (`differing`). `logits`: standard deviation over clips.
    """
    net = copy.deepcopy(net).train()
    relus = {name: module for name, module in net.named_modules() if isinstance(module, nn.ReLU)}
    classifier = classifier_of(net, num_classes).layer
    with inputs_of({**relus, "classifier": classifier}) as seen:
        logits = net(clips).flatten(1)
    features = seen.pop("classifier")[0].flatten(1)
    values: dict[str, list[Tensor]] = {"dead": [], "near_dead": [], "constant": [], "between_clips": []}
    for (maps,) in seen.values():
        active = (maps > 0).float().mean(dim=(0, 2, 3, 4))
        variance, mean = torch.var_mean(maps, dim=(0, 2, 3, 4), correction=0)
        power = mean**2 + variance + 1e-12
        values["dead"].append((active == 0).float())
        values["near_dead"].append((active < 0.01).float())
        values["constant"].append(mean**2 / power)
        values["between_clips"].append(maps.mean(dim=(2, 3, 4)).var(0, correction=0) / power)
    centre = features.mean(0)
    return {
        **{name: float(torch.cat(each).mean()) for name, each in values.items()},
        "shared": float(centre.square().sum()),
        "differing": float((features - centre).square().sum(1).mean()),
        "logits": float(logits.std(0).mean()),
    }
