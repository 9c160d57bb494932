"""2D kernels -> 3D kernels, and what a network has to see: input normalisation and channel order of its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Size, Tensor

Triple = tuple[float, float, float]

#: Ours unless asked otherwise: (x / 255 - 0.45) / 0.225 on every channel.
DEFAULT_STD: Triple = (0.225, 0.225, 0.225)


@dataclass(frozen=True)
class InputNormalisation:
    """What a network was trained on: (x - mean) / std, x the pixels in units of the full range.

    Attributes:
        mean: of each channel, in the order `order`.
        std: of each channel, likewise.
        order: RGB or BGR, the order of the first convolution's input channels.
    """

    mean: Triple
    std: Triple
    order: str = "RGB"


#: torchvision's and timm's ResNets.
IMAGENET = InputNormalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: pytorchvideo's zoo.
ZOO = InputNormalisation((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
#: Detectron's Caffe2 networks: pixels 0-255, the mean subtracted, not scaled.
CAFFE2 = InputNormalisation((102.9801 / 255, 115.9465 / 255, 122.7717 / 255), (1 / 255, 1 / 255, 1 / 255), "BGR")


def inflate(kernel: Tensor, shape: Size) -> Tensor | None:
    """Mean inflation: a 2D kernel stacked t times and divided by t (Carreira & Zisserman, CVPR 2017, section 2.4.1).

    Over a still image repeated in time the 3D convolution then gives the 2D one's output.

    Args:
        kernel: (O, I, h, w).
        shape: of the 3D kernel, (O, I, t, h, w).

    Returns:
        (O, I, t, h, w), or None if the kernel does not fit it.
    """
    if kernel.ndim != 4 or len(shape) != 5 or kernel.shape != shape[:2] + shape[3:]:
        return None
    return (kernel.unsqueeze(2) / shape[2]).expand(shape).clone()


def adapt_stem(kernel: Tensor, source: InputNormalisation, std: Sequence[float]) -> Tensor:
    """Fold channel order and scale of the source's input into the first convolution; exact, also at the border.

    (x - m) / s_source = (x - m) / s * (s / s_source): with the source's mean kept, both inputs are 0 at the same pixel
    value, so zero padding stays what it was. A difference of the means could not be folded: the convolution has no
    bias, and its padding would become another colour.

    Args:
        kernel: (O, 3, ...), for the source's input.
        source: what that input was.
        std: RGB, what the clips will be divided by.

    Returns:
        The same shape, for (x - mean) / std in RGB.
    """
    if source.order == "BGR":
        kernel = kernel.flip(1)
    factor = kernel.new_tensor(std) / kernel.new_tensor(_rgb(source.std, source.order))
    return kernel if bool((factor == 1).all()) else kernel * factor.view(1, 3, *[1] * (kernel.ndim - 2))


def input_for(
    source: InputNormalisation, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> tuple[Triple, Triple]:
    """Decide how the clips are normalised for a network from this source.

    Args:
        source: what it was trained on.
        mean: RGB, asked for; None takes the source's.
        std: RGB, asked for; None takes the source's, or 0.225 when the source's pixels were not scaled: inputs of up to
            150 would make conv1's gradients unlike any other run's.

    Returns:
        mean and std, RGB, in units of the full range.
    """
    if mean is None:
        mean = _rgb(source.mean, source.order)
    if std is None:
        std = DEFAULT_STD if source.std == CAFFE2.std else _rgb(source.std, source.order)
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _rgb(values: Triple, order: str) -> Triple:
    return values if order == "RGB" else (values[2], values[1], values[0])
