"""Where in space and time a class came from: Grad-CAM of the clips that were classified.

Grad-CAM (Selvaraju et al., ICCV 2017) weights the channels of a layer by the mean gradient of the class's logit there,
and keeps what counts for the class. captum computes it. The layer is the deepest that still has a map of at least
4 x 4 positions, so that it can say where.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from videogn.axes import Sample
from videogn.video.transforms import normalise, view_chunks

#: Positions along the shorter side of a map that says where something is.
_LEAST = 4


def explain(net: nn.Module, sample: Sample, class_number: int, mean: Tensor, std: Tensor) -> NDArray[np.float32]:
    """Compute how much each place of each frame counted for a class.

    Args:
        net: Convolutional network in evaluation mode. Its parameters no longer ask for gradients afterwards.
        sample: Decoded video.
        class_number: Class, in [0, K).
        mean: Mean of each channel, as a fraction of the full range, on the device of the network.
        std: Standard deviation of each channel, likewise.

    Returns:
        The evidence at each pixel of `sample.frames`, float32 (N, H, W), >= 0: the mean over all views that show it, in
        no unit, so that only places and times of one video compare.

    Raises:
        ModuleNotFoundError: captum is not installed.
        ValueError: The network is not one whose layers are maps of the frames, or they are too small.
    """
    assert sample.frames is not None
    assert sample.clips is not None
    net.requires_grad_(False)  # the graph begins at the layer, and the memory of a forward pass suffices
    total = torch.zeros(sample.frames.shape[:3])
    shown = torch.zeros(sample.frames.shape[:3])
    layer: nn.Module | None = None
    for number, view in enumerate(view_chunks(sample, 1)):
        clip, crop = divmod(number, len(sample.crops))
        clips = normalise(view.to(mean.device), mean, std)
        layer = layer or explained_layer(net, clips)
        evidence = grad_cam(net, layer, clips, class_number)[0].float().cpu()
        frames = sample.clips[clip].cpu()  # a short video has some of them twice
        for sums, values in ((total, evidence), (shown, torch.ones_like(evidence))):
            sample.crops[crop].cut(sums[..., None])[..., 0].index_add_(0, frames, values)
    return (total / shown.clamp(min=1)).numpy()


def grad_cam(net: nn.Module, layer: nn.Module, clips: Tensor, class_number: int) -> Tensor:
    """Compute Grad-CAM of a class at a layer, enlarged to the size of the clips.

    Args:
        net: Network from clips to logits (B, K, T', H', W'), whose parameters ask for no gradient.
        layer: Module of it with maps (B, C, T'', H'', W'').
        clips: Input of the network (B, 3, T, H, W).
        class_number: Class, in [0, K). Its logit is the mean over positions.

    Returns:
        (B, T, H, W), >= 0.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    try:
        from captum.attr import LayerAttribution, LayerGradCam
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to explain a class takes captum: pip install 'videogn[explain]'") from error

    cam = LayerGradCam(lambda inputs: net(inputs).flatten(2).mean(2), layer)
    coarse = cam.attribute(clips, target=class_number, relu_attributions=True)
    fine: Tensor = LayerAttribution.interpolate(coarse, tuple(clips.shape[2:]), "trilinear")
    return fine[:, 0].detach()


def explained_layer(net: nn.Module, clips: Tensor) -> nn.Module:
    """Find the deepest layer with maps of at least 4 x 4 positions: that of the last convolution over space there.

    Args:
        net: Network.
        clips: An input of it (B, 3, T, H, W).

    Returns:
        The convolution, or the largest block around it that gives maps of the same size: a whole stage, mostly.

    Raises:
        ValueError: The network has several pathways, or mixes positions as transformers do, or its maps are too small.
    """
    with _watched(net) as seen, torch.no_grad():
        net(clips)
    kind = type(net).__name__
    if seen.several or seen.mixers > 1:
        why = "has several pathways" if seen.several else "is a transformer"
        raise ValueError(f"Grad-CAM explains networks that are one chain of convolutions, and {kind} {why}")
    convolutions = [name for name in seen.grids if _over_space(net.get_submodule(name))]
    usable = [name for name in convolutions if min(seen.grids[name][1:]) >= _LEAST]
    if not usable:
        size = "{} x {}".format(*clips.shape[3:])
        raise ValueError(f"frames of {size} are too small to explain: no layer of {kind} has 4 x 4 positions of them")
    chosen = around = usable[-1]
    while around := around.rpartition(".")[0]:
        grid = seen.grids.get(around)  # a list of modules is not called itself
        if grid not in (None, seen.grids[chosen]):
            break
        chosen = chosen if grid is None else around
    return net.get_submodule(chosen)


@dataclass
class _Seen:
    """What the modules of a network gave in a forward pass.

    Attributes:
        grids: Name -> (T', H', W') of those that gave maps, in the order in which they were done.
        mixers: Number of linear layers over many positions; a classifier at every position is one.
        several: Whether a module gave several tensors.
    """

    grids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    mixers: int = 0
    several: bool = False


@contextmanager
def _watched(net: nn.Module) -> Iterator[_Seen]:
    seen = _Seen()

    def note(name: str, module: nn.Module, output: Any) -> None:
        if not isinstance(output, Tensor):
            seen.several |= len(output) > 1
        elif isinstance(module, nn.Linear):
            seen.mixers += output.ndim > 2
        elif output.ndim == 5:
            seen.grids.pop(name, None)
            seen.grids[name] = tuple(output.shape[2:])

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        for name, module in net.named_modules()
        if name
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _over_space(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Conv3d) and max(module.kernel_size[-2:]) > 1
