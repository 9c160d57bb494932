"""gamma and beta of a network's norms set so that its layers give what those of a trained BatchNorm network give.

A norm that takes the place of a BatchNorm divides each clip by the clip's own statistics, so that the gamma and beta
that it has taken over belong to another scale. Here they are set anew, layer by layer in the order in which the layers
run, over clips without labels. For a channel of a layer, y are the values that the BatchNorm network's layer gives,
over all clips and positions, and h those of the new norm with gamma = 1 and beta = 0, whose input comes from the layers
that have been set already. In both ways beta = mean(y) - gamma mean(h), and

    gamma = sign(cov(h, y)) sd(y) / sd(h)     "moments"
    gamma = cov(h, y) / var(h)                "least_squares"

"moments" gives the output z = gamma h + beta the mean and the variance of y; of all gammas it brings the sorted values
of z nearest to those of y, for distributions of one shape. "least_squares" makes the mean of (z - y)^2 smallest. Its
gamma is the smaller one, by the factor |corr(h, y)|: it takes out what y does not explain, and variance with it.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from videogn.checks import check_choice

MatchName = Literal["moments", "least_squares"]

#: Buffer that tells norms with running statistics from the others; one that does not centre has no mean.
_RUNNING_VAR = "running_var"
#: A channel whose variance is a smaller share of its mean square is constant, but for rounding.
_CONSTANT = 1e-12


@torch.no_grad()
def calibrate_norms(
    network: nn.Module,
    reference: nn.Module,
    clips: Iterable[Tensor],
    *,
    match: MatchName = "moments",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Set gamma and beta of a network's norms by the outputs of a BatchNorm network's.

    For every norm, both networks run over all clips up to that norm: for L norms about as much work as L passes of one
    network over the clips. Memory does not grow with the number of clips.

    Args:
        network: Network whose norms have no running statistics and give gamma h + beta per channel. Its gamma and beta
            are changed. Both networks are put into evaluation mode.
        reference: Network with the same modules, and norms with running statistics in the same places.
        clips: Batches of normalised clips (B, 3, T, H, W), the same whenever they are iterated over.
        match: "moments" or "least_squares". Default: "moments".
        progress: Called with (norms that are set, norms in all).

    Raises:
        ValueError: The norms of the two networks do not correspond, there are no clips, or an output is not finite.

    Example:
        >>> import torch
        >>> from videogn.models import i3d_tiny
        >>> from videogn.models.norm_calibration import calibrate_norms
        >>> trained, network = i3d_tiny(norm="bn"), i3d_tiny(norm="gn")
        >>> _ = network.load_state_dict(trained.state_dict(), strict=False)  # all but the running statistics
        >>> calibrate_norms(network, trained, [torch.randn(2, 3, 8, 32, 32)])
    """
    check_choice("match", match, get_args(MatchName))
    names = norms_in_order(network, reference, clips)
    for number, name in enumerate(names, 1):
        layer, target = network.get_submodule(name), reference.get_submodule(name)
        gamma, beta = layer.get_parameter("weight"), layer.get_parameter("bias")
        taken_over = gamma.clone()
        gamma.fill_(1)
        beta.fill_(0)
        moments = _Moments()
        for batch in clips:
            moments.add(_output(network, layer, batch), _output(reference, target, batch))
        if not torch.isfinite(moments.products).all():
            raise ValueError(f"{name}: the values of this layer are not finite (NaN or infinity)")
        for parameter, values in zip((gamma, beta), moments.affine(match, taken_over), strict=True):
            parameter.copy_(values)
        if progress is not None:
            progress(number, len(names))


@torch.no_grad()
def layer_distances(network: nn.Module, reference: nn.Module, clips: Iterable[Tensor]) -> dict[str, float]:
    """Measure how far the outputs z of a network's norms are from those y of a BatchNorm network's: |z - y| / |y|.

    The norms are over all clips, channels and positions. Memory holds all outputs for one clip.

    Args:
        network: Network whose norms have no running statistics. Both networks are put into evaluation mode.
        reference: Network with the same modules, and norms with running statistics in the same places.
        clips: Batches of normalised clips (B, 3, T, H, W).

    Returns:
        Name of the norm -> distance, in the order in which the norms run.

    Raises:
        ValueError: The norms of the two networks do not correspond, or there are no clips.
    """
    names = norms_in_order(network, reference, clips)
    errors, sizes = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    wanted: dict[str, Tensor] = {}

    def keep(name: str, y: Tensor) -> None:
        wanted[name] = y.clone()  # the activation that follows may work in place

    def compare(name: str, z: Tensor) -> None:
        y = wanted.pop(name)
        errors[name] += float((z - y).square().sum())
        sizes[name] += float(y.square().sum())

    for clip in (clip for batch in clips for clip in batch.split(1)):
        with _watching(reference, names, keep):
            reference(clip)
        with _watching(network, names, compare):
            network(clip)
    return {name: math.sqrt(errors[name] / max(sizes[name], sys.float_info.min)) for name in names}


def take_over(network: nn.Module, reference: nn.Module) -> None:
    """Copy all that two networks of the same modules share: everything but the norms' running statistics.

    Args:
        network: Network whose norms have no running statistics. It is changed.
        reference: Network with the same modules, and norms with running statistics in the same places.

    Raises:
        ValueError: Another tensor is missing in one of them, or has another shape. The network may be changed in part.
    """
    own, given = network.state_dict(), reference.state_dict()
    statistics = {
        f"{name}.{key}"
        for name, layer in reference.named_modules()
        if _has_statistics(layer)
        for key, _ in layer.named_buffers(recurse=False)
    }
    wrong = sorted((own.keys() ^ given.keys()) - statistics)
    wrong += [name for name in own.keys() & given.keys() if own[name].shape != given[name].shape]
    if wrong:
        raise ValueError(f"the networks differ in more than their norms, the first difference is {wrong[0]}")
    network.load_state_dict({name: given[name] for name in own})


def norms_in_order(network: nn.Module, reference: nn.Module, clips: Iterable[Tensor]) -> list[str]:
    """Find the norms that two networks have in the same places, in the order in which they run.

    Args:
        network: Network whose norms have no running statistics. Both networks are put into evaluation mode.
        reference: Network with the same modules, and norms with running statistics in the same places.
        clips: Batches of normalised clips (B, 3, T, H, W), of which one clip is used.

    Returns:
        Names of the norms. Those that evaluation does not use are left out.

    Raises:
        ValueError: The reference has no norm with running statistics, the network has one or none in that place, a norm
            runs more than once in a forward pass, or there are no clips.
    """
    names = [name for name, layer in reference.named_modules() if _has_statistics(layer)]
    if not names:
        raise ValueError("the reference has no norm with running statistics, so that there is nothing to calibrate by")
    for name in names:
        _check_norm(name, network)
    first = next(iter(clips), None)
    if first is None:
        raise ValueError("calibration needs at least one clip, got none")
    order: list[str] = []
    reference.eval()
    with torch.no_grad(), _watching(network.eval(), names, lambda name, _: order.append(name)):
        network(first[:1])
    name, runs = Counter(order).most_common(1)[0]
    if runs > 1:
        raise ValueError(
            f"{name} runs {runs} times in a forward pass; calibration needs a norm of its own in each place"
        )
    return order


def _check_norm(name: str, network: nn.Module) -> None:
    """Refuse a layer that cannot be calibrated."""
    layer = dict(network.named_modules()).get(name)
    if layer is None:
        raise ValueError(f"the network has no {name}, which is a norm of the reference")
    if _has_statistics(layer):
        raise ValueError(
            f"{name} is a {type(layer).__name__}, which has running statistics: there is nothing to calibrate"
        )
    if not {"weight", "bias"} <= dict(layer.named_parameters(recurse=False)).keys():
        raise ValueError(f"{name} is a {type(layer).__name__} without gamma and beta (its parameters weight and bias)")


def has_running_statistics(network: nn.Module) -> bool:
    """Whether a network, or a norm, has a norm with running statistics in it."""
    return any(map(_has_statistics, network.modules()))


def _has_statistics(layer: nn.Module) -> bool:
    return dict(layer.named_buffers(recurse=False)).get(_RUNNING_VAR) is not None


class _Reached(Exception):
    """Ends a forward pass at the layer that was asked for."""


def _output(network: nn.Module, layer: nn.Module, clips: Tensor) -> Tensor:
    """The output of a layer; what follows it does not run."""
    found: list[Tensor] = []

    def stop(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(output)
        raise _Reached

    handle = layer.register_forward_hook(stop)
    try:
        network(clips)
    except _Reached:
        pass
    finally:
        handle.remove()
    return found[0]


@contextmanager
def _watching(network: nn.Module, names: Sequence[str], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Hand the output of every named layer over, as the layers run."""

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda layer, inputs, output: see(name, output)

    handles = [network.get_submodule(name).register_forward_hook(hook_of(name)) for name in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Moments:
    """Means and products of the deviations of h and y per channel, over batches: float64, on the CPU.

    Attributes:
        count: Number of values per channel.
        means: (2, C), of h and y.
        products: Sums of (h - mean) (h - mean), (h - mean) (y - mean) and (y - mean) (y - mean): (3, C).
    """

    def __init__(self) -> None:
        self.count = 0
        self.means = torch.zeros(2, 1, dtype=torch.float64)
        self.products = torch.zeros(3, 1, dtype=torch.float64)

    def add(self, h: Tensor, y: Tensor) -> None:
        """Add the values (B, C, ...) of a batch (Chan, Golub, LeVeque 1979: the pairwise update)."""
        values = [each.transpose(0, 1).flatten(1) for each in (h, y)]  # (C, count)
        means = [each.mean(1, keepdim=True) for each in values]
        h, y = (each - mean for each, mean in zip(values, means, strict=True))
        products = _double([(h * h).sum(1), (h * y).sum(1), (y * y).sum(1)])
        count = h.shape[1]
        apart = _double([mean[:, 0] for mean in means]) - self.means
        weight = self.count * count / (self.count + count)
        between = torch.stack([apart[0] * apart[0], apart[0] * apart[1], apart[1] * apart[1]])
        self.products = self.products + products + weight * between
        self.means = self.means + apart * (count / (self.count + count))
        self.count += count

    def affine(self, match: MatchName, taken_over: Tensor) -> tuple[Tensor, Tensor]:
        """Compute gamma and beta (C,); gamma stays as it was where h is constant, since any would do."""
        hh, hy, yy = self.products
        gamma = hy / hh if match == "least_squares" else hy.sign() * (yy / hh).sqrt()
        constant = hh <= _CONSTANT * (hh + self.count * self.means[0].square())
        gamma = torch.where(constant, taken_over.double().cpu(), gamma)
        return gamma, self.means[1] - gamma * self.means[0]


def _double(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).cpu().double()  # first to the CPU: some devices have no float64
