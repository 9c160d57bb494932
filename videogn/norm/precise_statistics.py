"""Precise batch normalisation: running statistics measured anew, with the weights as they are now.

A running average mixes the statistics of many past steps, each with other weights. Here the weights stand still and the
statistics of many training batches count equally: what the released code of the Non-local baseline does before every
evaluation (lib/utils/bn_helper.py, 200 iterations), and "PreciseBN" of Wu & Johnson 2021, "Rethinking 'Batch' in
BatchNorm", section 3.

A layer with running statistics is a module whose `running_mean` and `running_var` are tensors and that has a
`momentum`. Without a `momentum` the statistics are stored rather than followed (a frozen BatchNorm): it is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.system.ranks import world_size

#: What `running_var` estimates; see `precise_statistics`.
VARIANCES = ("population", "batch")


class Statistics(NamedTuple):
    """Mean and variance of each channel of a layer's input: float64 (C,), on the CPU."""

    mean: Tensor
    var: Tensor


def tracking_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Find the layers whose running statistics follow the training.

    Args:
        model: any module.

    Returns:
        Name in `model` -> layer, in the order of `named_modules`; empty for a network without such layers.
    """
    return {name: layer for name, layer in model.named_modules() if _tracks(layer)}


def running_statistics(layers: Mapping[str, nn.Module]) -> dict[str, Statistics]:
    """Copy the running statistics of layers.

    Args:
        layers: what `tracking_layers` finds.

    Returns:
        Name -> its statistics now.
    """
    return {name: Statistics(*(_double(buffer) for buffer in _buffers(layer))) for name, layer in layers.items()}


@contextmanager
def batch_statistics(layers: Mapping[str, nn.Module]) -> Iterator[Callable[[], dict[str, Statistics]]]:
    """Put layers, and nothing else, into training mode, so that a forward pass uses and shows its batch's statistics.

    The layers' momentum is 1 inside, so that a running statistic becomes the newest batch's. Afterwards modes, momentum
    and every buffer are what they were, after an error too.

    Args:
        layers: what `tracking_layers` finds.

    Yields:
        A function that returns the statistics of the last forward pass, the variance unbiased as PyTorch stores it,
        and puts the original ones back: Batch Renorm uses them in training too. A layer that ran several times
        in the pass gives its last run; one that did not run gives its running statistics.
    """
    modules = list(dict.fromkeys(module for layer in layers.values() for module in layer.modules()))
    modes = [module.training for module in modules]
    momenta = [layer.momentum for layer in layers.values()]
    kept = [(buffer, buffer.detach().clone()) for module in modules for buffer in module.buffers(recurse=False)]

    def put_back() -> None:
        with torch.no_grad():
            for buffer, original in kept:
                buffer.copy_(original)

    def take() -> dict[str, Statistics]:
        taken = running_statistics(layers)
        put_back()
        return taken

    try:
        for layer in layers.values():
            layer.train()
            layer.momentum = 1.0  # type: ignore[assignment]
        yield take
    finally:
        put_back()
        for layer, momentum in zip(layers.values(), momenta, strict=True):
            layer.momentum = momentum
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def precise_statistics(
    model: nn.Module,
    batches: Iterable[Any],
    forward: Callable[[Any], Any] | None = None,
    *,
    variance: str = "population",
) -> dict[str, Statistics]:
    """Replace the running statistics of every tracking layer by those of `batches`, each batch counting equally.

    With m_b the mean and u_b the unbiased variance (what PyTorch stores) of batch b, and E the average over batches:

        mean = E[m_b]
        var  = E[u_b] + E[m_b^2] - E[m_b]^2     "population"
        var  = E[u_b]                           "batch"

    "population" is the law of total variance, as in the Non-local code and in Wu & Johnson 2021: the variance of the
    inputs that evaluation will meet, of which the spread of the batches' means is a part. With small batches of clips
    that part is large, since the values of a clip resemble one another. Those two take the biased variance b_b; for n
    values a channel u_b = b_b * n / (n - 1), less than 1e-3 apart at 4 clips in the last stage of an I3D, and
    one batch then gives exactly what PyTorch's layer would store. "batch" is the limit of PyTorch's running average:
    the variance that training divides by, on average.

    Only the tracking layers are in training mode during the passes; dropout and whatever else has a mode keeps the
    caller's. Parameters, modes, momentum and counters of steps are afterwards as before; there are no gradients. Where
    several processes work together, all must call this, and the batches of all of them count equally.

    Args:
        model: any module; one without tracking layers is left alone and no batch is drawn.
        batches: what `forward` takes.
        forward: runs a batch through `model`; by default `model` itself.
        variance: "population" or "batch".

    Returns:
        Name of the layer -> the statistics it has now.

    Raises:
        ValueError: an unknown variance, or no batches.
    """
    check_choice("variance", variance, VARIANCES)
    layers = tracking_layers(model)
    if not layers:
        return {}
    forward = forward or model
    widths = [sum(buffer.numel() for buffer in _buffers(layer)) // 2 for layer in layers.values()]
    sums = torch.zeros(3, sum(widths), dtype=torch.float64)  # of means, variances and squared means
    count = 0
    with torch.no_grad(), _plain_batch_norm(layers), batch_statistics(layers) as take:
        for batch in batches:
            forward(batch)
            taken = take().values()
            means, variances = (torch.cat(part) for part in zip(*taken, strict=True))
            sums += torch.stack([means, variances, means.square()])
            count += 1
    sums, count = _over_processes(sums, count, next(_buffers(next(iter(layers.values())))).device)
    if not count:
        raise ValueError("precise statistics need at least one batch, got none")
    mean, var, square = sums / count
    if variance == "population":
        var = var + (square - mean.square()).clamp(min=0)  # rounding must not make it negative
    found = {name: Statistics(*part) for name, *part in zip(layers, mean.split(widths), var.split(widths), strict=True)}
    _write(layers, found)
    return found


@contextmanager
def _plain_batch_norm(layers: Mapping[str, nn.Module]) -> Iterator[None]:
    """Take Batch Renorm's corrections off: they draw to the old statistics, and what follows would see that."""
    corrected = [layer for layer in layers.values() if hasattr(layer, "r_max") and hasattr(layer, "d_max")]
    bounds = [(layer.r_max, layer.d_max) for layer in corrected]
    try:
        for layer in corrected:
            layer.r_max, layer.d_max = 1.0, 0.0  # type: ignore[assignment]
        yield
    finally:
        for layer, (r_max, d_max) in zip(corrected, bounds, strict=True):
            layer.r_max, layer.d_max = r_max, d_max


def _tracks(layer: nn.Module) -> bool:
    buffers = dict(layer.named_buffers(recurse=False))
    return all(buffers.get(name) is not None for name in ("running_mean", "running_var")) and hasattr(layer, "momentum")


def _buffers(layer: nn.Module) -> Iterator[Tensor]:
    yield from (layer.get_buffer("running_mean"), layer.get_buffer("running_var"))


def _double(buffer: Tensor) -> Tensor:
    # First to the CPU: not every device has float64.
    return buffer.detach().cpu().double().clone()


def _over_processes(sums: Tensor, count: int, device: torch.device) -> tuple[Tensor, int]:
    """Sum over the processes; through the layers' device, since NCCL knows no other."""
    if world_size() == 1:
        return sums, count
    joined = torch.cat([sums.flatten(), torch.tensor([count], dtype=sums.dtype)]).to(device)
    torch.distributed.all_reduce(joined)
    joined = joined.cpu()
    return joined[:-1].view_as(sums), int(joined[-1])


def _write(layers: Mapping[str, nn.Module], found: Mapping[str, Statistics]) -> None:
    # In place: what is made in Lightning's inference mode could not be trained on.
    with torch.no_grad():
        for name, layer in layers.items():
            for buffer, value in zip(_buffers(layer), found[name], strict=True):
                buffer.copy_(value.view_as(buffer))
