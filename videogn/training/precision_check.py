"""Whether the convolutions of a run are right in 16 bits, on its device and with its versions of the libraries.

Some are silently wrong: torch 2.14 on a CPU with bfloat16 arithmetic gives weight gradients of uninitialised memory
where a kernel is larger than its input along an axis (3x1x1 at two frames), and torch 2.9 with cuDNN 9.10.2 gave wrong
3D convolutions (pytorch #163539). A training run would learn noise.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.choices import LayoutName, NetworkInput
from videogn.models.memory_format import format_of_clips

_log = logging.getLogger(__name__)
#: Convolution with the arguments of `F.conv3d`.
Convolution = Callable[..., Tensor]
#: Largest error of a result in 16 bits, as a share of its norm. Rounding alone gives 0.003 in bfloat16; what has been
#: wrong so far was off by half its norm and more.
TOLERANCE = 0.05
#: Number of channels, and numbers of positions along an axis, of what is compared.
_CHANNELS, _POSITIONS, _SMALL = 16, 8, 2
#: Versions of cuDNN whose 3D convolutions in 16 bits torch leaves out, as they are wrong for large tensors (pytorch
#: #163539, #166643; in order from 9.15 on). What takes their place is slower and takes more memory.
_LEFT_OUT_CUDNN = range(90800, 91500)
#: Side of the matrices of a trial product, and how many times as long as in float32 it may take. Processors without
#: arithmetic in bfloat16 convert every number: one took 42 times as long. With it, it is about half as long.
_SIDE, _TIMES = 256, 4


class ConvolutionShape(NamedTuple):
    """A convolution over (T, H, W), as far as errors are known to depend on it."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    size: tuple[int, ...]

    def __str__(self) -> str:
        kernel, size = ("x".join(map(str, each)) for each in (self.kernel, self.size))
        return f"{kernel} on {size} positions"


def check_convolutions(
    net: nn.Module,
    sizes: Sequence[Sequence[int]],
    device: torch.device,
    dtype: torch.dtype,
    *,
    layout: LayoutName = "contiguous",
    override: str | None = "--model.check_precision false",
    convolution: Convolution = F.conv3d,
) -> None:
    """Compare a network's convolutions and their gradients with float32, and refuse what is off by more than rounding.

    A few small ones of each kernel are compared, in milliseconds. Where one is wrong, the network is asked whether it
    computes any like it, which takes a second.

    Args:
        net: Network; it stays as it is.
        sizes: Sizes (T, H, W) of its clips.
        device: Device of the run.
        dtype: Number format of its convolutions.
        layout: Memory format of the run. Default: "contiguous".
        override: Option that leaves out this check, for the message; None where there is none.
        convolution: The convolution. Default: torch's.

    Raises:
        ValueError: One is wrong. The message names it, the versions, and what can be done.
    """

    def errors(shapes: Iterable[ConvolutionShape]) -> Iterator[tuple[ConvolutionShape, str]]:
        for shape in shapes:
            error = _error(shape, device, dtype, layout, convolution)
            if error is not None:
                yield shape, error

    if next(errors(_examples(net)), None) is None:
        return
    for shape, error in errors(convolutions_of(net, sizes)):
        way_on = "" if override is None else f", or go on all the same with {override}"
        raise ValueError(
            f"convolutions in {_name(dtype)} are wrong on {device.type} with {_versions(device)}: in {shape} {error}; "
            f"take precision 32 or another version of torch{way_on}"
        )


def check_training(trainer: Any, net: nn.Module, settings: NetworkInput, layout: LayoutName) -> None:
    """Check the convolutions of a training run that computes them in 16 bits; see `check_convolutions`.

    Args:
        trainer: Trainer of the run, which has begun.
        net: Network.
        settings: Its clips, unless multigrid training gives them other shapes.
        layout: Memory format of the run.

    Raises:
        ValueError: One is wrong.
    """
    dtype, device = reduced_type(str(trainer.precision)), trainer.strategy.root_device
    if dtype is None:
        return
    multigrid = trainer.train_dataloader.multigrid
    shapes = () if multigrid is None else multigrid.cycles.shapes
    sides = [(settings.clip_length, settings.crop_size), *((each.clip_length, each.crop_size) for each in shapes)]
    check_convolutions(net, [(length, side, side) for length, side in sides], device, dtype, layout=layout)
    slow = known_slow(device, dtype)
    if slow is not None and trainer.is_global_zero:
        _log.warning("%s", slow)


def reduced_type(precision: str) -> torch.dtype | None:
    """Return the number format of convolutions under Lightning's name of a precision, None for 32 bits or more."""
    if "bf16" in precision:
        return torch.bfloat16
    return torch.float16 if "16" in precision else None


def convolutions_of(net: nn.Module, sizes: Sequence[Sequence[int]]) -> list[ConvolutionShape]:
    """Find the convolutions that a network computes of clips, without computing anything.

    Args:
        net: Network; it stays as it is.
        sizes: Sizes (T, H, W) of its clips.

    Returns:
        One of each kind, its input no larger than what makes a difference. Of a network that runs on real numbers only,
        the convolutions that it has, on inputs larger than their kernels.
    """
    found: dict[ConvolutionShape, None] = {}

    def note(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        found[_shape(layer, inputs[0].shape[2:])] = None

    hooks = [layer.register_forward_pre_hook(note) for layer in _layers(net)]
    try:
        for size in sizes:
            _run_without_numbers(net, size)
    except Exception:  # a norm or network from outside
        return [shape for shape in _examples(net) if max(shape.size) == _POSITIONS]
    finally:
        for hook in hooks:
            hook.remove()
    return list(found)


def known_slow(device: torch.device, dtype: torch.dtype) -> str | None:
    """Say in a line that convolutions in a number format are slow on a device or with its libraries, or return None."""
    if device.type == "cpu":
        return slow_arithmetic(dtype)
    if device.type != "cuda" or torch.backends.cudnn.version() not in _LEFT_OUT_CUDNN:
        return None
    return (
        f"3D convolutions in {_name(dtype)} are slow and take more memory with {_versions(device)} (pytorch #166122, "
        "#166643): install cuDNN 9.15 or later, or a torch that brings it"
    )


def slow_arithmetic(dtype: torch.dtype) -> str | None:
    """Say in a line that the processor has no arithmetic in a number format, which a trial shows, or return None."""
    times = _product_seconds(dtype) / _product_seconds(torch.float32)
    if times <= _TIMES:
        return None
    return (
        f"{_name(dtype)} is slow on this processor, which has no arithmetic in it: a matrix product takes {times:.0f} "
        "times as long as in float32; take precision 32"
    )


def _product_seconds(dtype: torch.dtype) -> float:
    """Seconds of a product of two matrices on the processor, the least of four."""
    matrix, seconds = torch.zeros(_SIDE, _SIDE, dtype=dtype), []
    for _ in range(4):
        begun = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _layers(net: nn.Module) -> list[nn.Conv3d]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Conv3d)]


def _examples(net: nn.Module) -> list[ConvolutionShape]:
    """Each kind of convolution of a network on an input larger than its kernel, and on one smaller."""
    shapes = dict.fromkeys(_shape(layer, (size,) * 3) for layer in _layers(net) for size in (_POSITIONS, _SMALL))
    return [shape for shape in shapes if _leaves_something(shape)]


def _leaves_something(shape: ConvolutionShape) -> bool:
    axes = zip(shape.size, shape.padding, shape.dilation, shape.kernel, strict=True)
    return all(size + 2 * padding > dilation * (kernel - 1) for size, padding, dilation, kernel in axes)


def _shape(layer: nn.Conv3d, size: Sequence[int]) -> ConvolutionShape:
    extents = zip(size, layer.kernel_size, layer.dilation, strict=True)
    seen = tuple(min(have, max(_POSITIONS, step * (kernel - 1) + 1)) for have, kernel, step in extents)
    padding = layer.padding if isinstance(layer.padding, tuple) else (0, 0, 0)
    groups = _CHANNELS if layer.groups > 1 else 1  # depthwise
    return ConvolutionShape(layer.kernel_size, layer.stride, padding, layer.dilation, groups, seen)


def _run_without_numbers(net: nn.Module, size: Sequence[int]) -> None:
    """Run a network on tensors that have shapes only; what it writes to its buffers is lost."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    clips = torch.empty(2, 3, *size, device="meta", dtype=next(net.parameters()).dtype)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), torch.compiler.set_stance("force_eager"):
        torch.func.functional_call(net, shapes, (clips,))


def _error(
    shape: ConvolutionShape,
    device: torch.device,
    dtype: torch.dtype,
    layout: LayoutName,
    convolution: Convolution,
) -> str | None:
    """Name the result that is farthest from float32's, with its error, where that is too large."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(2, _CHANNELS, *shape.size, generator=generator)
    inputs = _CHANNELS // shape.groups
    weight = torch.randn(_CHANNELS, inputs, *shape.kernel, generator=generator)
    weight /= math.sqrt(inputs * math.prod(shape.kernel))
    clips, weight = (tensor.to(dtype).float() for tensor in (clips, weight))  # the same numbers for both
    wanted = _results(F.conv3d, shape, clips, weight)
    found = _results(
        convolution,
        shape,
        *(tensor.to(device, dtype, memory_format=format_of_clips(layout)) for tensor in (clips, weight)),
    )
    errors = {}
    for name, right, got in zip(("output", "input gradient", "weight gradient"), wanted, found, strict=True):
        errors[name] = float((got.cpu().double() - right.double()).norm() / right.double().norm())
    name = max(errors, key=lambda each: errors[each] if math.isfinite(errors[each]) else math.inf)
    if errors[name] <= TOLERANCE:
        return None
    return f"the {name} is off by {errors[name]:.0%}" if errors[name] < 1 else f"the {name} is all noise"


def _results(convolution: Convolution, shape: ConvolutionShape, clips: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Output, and the gradients of input and weight for a gradient of ones and minus ones."""
    clips, weight = (tensor.detach().requires_grad_() for tensor in (clips, weight))
    with torch.enable_grad():
        output = convolution(clips, weight, None, shape.stride, shape.padding, shape.dilation, shape.groups)
        signs = torch.randint(2, output.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
        gradients = torch.autograd.grad(output, (clips, weight), signs.to(output))
    return output.detach(), *gradients


def _versions(device: torch.device) -> str:
    cudnn = torch.backends.cudnn.version() if device.type == "cuda" else None
    own = f"torch {torch.__version__}"
    return own if cudnn is None else f"{own} and cuDNN {cudnn // 10000}.{cudnn // 100 % 100}.{cudnn % 100}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
