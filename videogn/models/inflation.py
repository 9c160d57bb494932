"""Inflation of 2D kernels to 3D kernels, and the input normalisation that comes with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Size, Tensor, nn

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class InputNormalisation:
    """Input that a network was trained on: (x - mean) / std, where x are pixels in units of the full range.

    Attributes:
        mean: Mean of each channel, in the order `order`.
        std: Standard deviation of each channel, in the order `order`.
        order: Order of the first convolution's input channels, RGB or BGR. Default: "RGB".
    """

    mean: Triple
    std: Triple
    order: str = "RGB"


#: torchvision's and timm's ResNets.
IMAGENET = InputNormalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: pytorchvideo's zoo, and our default: the released code of Wang et al. 2018, the GN paper's baseline.
DEFAULT = InputNormalisation((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
#: torchvision's R3D, MC3, R(2+1)D and S3D.
KINETICS = InputNormalisation((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
#: Detectron's Caffe2 networks: pixels 0-255, the mean subtracted, not scaled.
CAFFE2 = InputNormalisation((102.9801 / 255, 115.9465 / 255, 122.7717 / 255), (1 / 255, 1 / 255, 1 / 255), "BGR")


def inflate(kernel: Tensor, shape: Size) -> Tensor | None:
    """Stack a 2D kernel t times and divide it by t (Carreira & Zisserman, CVPR 2017, section 2.4.1).

    Over a still image repeated in time the 3D convolution then gives the output of the 2D one.

    Args:
        kernel: 2D kernel, (O, I, h, w), or (O, I, 1, h, w) as our networks for images have it.
        shape: Shape of the 3D kernel, (O, I, t, h, w).

    Returns:
        3D kernel, (O, I, t, h, w), or None if the 2D kernel does not fit.
    """
    if kernel.ndim == 5 and kernel.shape[2] == 1:
        kernel = kernel.squeeze(2)
    if kernel.ndim != 4 or len(shape) != 5 or kernel.shape != shape[:2] + shape[3:]:
        return None
    return (kernel.unsqueeze(2) / shape[2]).expand(shape).clone()


def adapt_stem(kernel: Tensor, source: InputNormalisation, std: Sequence[float]) -> Tensor:
    """Fold channel order and scale of the source's input into the first convolution, exactly, also at the border.

    (x - m) / s_source = (x - m) / s * (s / s_source): with the source's mean kept, both inputs are 0 at the same pixel
    value, so zero padding stays what it was. A difference of the means could not be folded: the convolution has no
    bias, and its padding would become another colour.

    Args:
        kernel: Kernel for the source's input, (O, 3, ...).
        source: Normalisation of the source's input.
        std: RGB standard deviation that the clips will be divided by.

    Returns:
        Kernel of the same shape for (x - mean) / std in RGB.
    """
    if source.order == "BGR":
        kernel = kernel.flip(1)
    factor = kernel.new_tensor(std) / kernel.new_tensor(_rgb(source.std, source.order))
    return kernel if bool((factor == 1).all()) else kernel * factor.view(1, 3, *[1] * (kernel.ndim - 2))


@torch.no_grad()
def folding_error(conv: nn.Module, kernel: Tensor, source: InputNormalisation, std: Sequence[float]) -> float:
    """Compare a convolution's outputs before and after `adapt_stem`, the same pixels in both normalisations.

    They differ where the convolution changes its weights in use: standardised ones keep no scale, and neither those nor
    centralised ones keep a scale of each channel.

    Args:
        conv: First convolution.
        kernel: Kernel for the source's input, (O, 3, ...).
        source: Normalisation of the source's input.
        std: RGB standard deviation that the clips will be divided by.

    Returns:
        Norm of the difference divided by that of the output before: 0 up to rounding for a plain convolution.
    """
    own = _rgb(source.std, source.order)
    pixels = torch.randn(16, *kernel.shape[1:], generator=torch.Generator().manual_seed(0)).to(kernel)

    def output(divisor: Sequence[float]) -> Tensor:
        clips = pixels / kernel.new_tensor(divisor).view(1, 3, *[1] * (kernel.ndim - 2))
        weight = adapt_stem(kernel, source, divisor)
        result: Tensor = torch.func.functional_call(conv, {"weight": weight}, (clips,))
        return result

    before = output(own)
    return float((output(std) - before).norm() / before.norm())


def input_for(
    source: InputNormalisation, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> tuple[Triple, Triple]:
    """Choose the normalisation of the clips for a network from a source.

    Args:
        source: Normalisation that the source was trained with.
        mean: Requested RGB mean. Default: the source's.
        std: Requested RGB standard deviation. Default: the source's, or 0.225 if its pixels were not scaled: inputs of
            up to 150 would make the gradients of conv1 unlike those of any other training run.

    Returns:
        RGB mean and standard deviation, in units of the full range.
    """
    if mean is None:
        mean = _rgb(source.mean, source.order)
    if std is None:
        std = DEFAULT.std if source.std == CAFFE2.std else _rgb(source.std, source.order)
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _rgb(values: Triple, order: str) -> Triple:
    return values if order == "RGB" else (values[2], values[1], values[0])
