"""Augmentation of training batches on the device: of the pixels of each clip, then by mixing the clips of a batch.

Everything is drawn from torch's generator of the CPU, which is seeded for each step (`videogn.training.resuming`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.checks import require_at_least

#: Magnitudes of RandAugment that torchvision tells apart, 0 to 30.
_MAGNITUDES = 31
#: Of a smaller alpha of mixup and CutMix float32 leaves 0, from which nothing can be drawn.
_LEAST_ALPHA = 1e-3


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """Augmentation of training batches; without options, none. Validation and testing never see it.

    Args:
        mixup: Alpha of mixup (Zhang et al. 2018): each clip becomes lambda times itself plus (1 - lambda) times another
            one of the batch, its target likewise, with one lambda of Beta(alpha, alpha) a batch. 0.8 is usual.
        cutmix: Alpha of CutMix (Yun et al. 2019): a box of each clip, the same in all frames, is replaced by that of
            another one of the batch; the targets are mixed by the area of the box. 1 is usual. With `mixup` too, every
            batch has one of both, as often as the other.
        rand_augment: Magnitude of RandAugment (Cubuk et al. 2020), 0 to 30; 9 is usual. The operations are drawn anew
            for each clip and are the same for all its frames.
        rand_augment_ops: Number of operations of RandAugment on a clip.
        color_jitter: Largest relative change of brightness, contrast and saturation, each drawn for a clip; 0.4 is
            usual.
        random_erasing: Probability that a box of a clip, the same in all frames, is replaced by the mean colour (Zhong
            et al. 2020); 0.25 is usual.
        pad_crop: Number of black pixels put around a clip, of which a part of its size is then cut out at random, the
            same in all frames; 4 is usual for CIFAR-10.

    Raises:
        ValueError: If a number is out of range.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    rand_augment: int | None = None
    rand_augment_ops: int = 2
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    pad_crop: int = 0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix", "color_jitter"):
            require_at_least(name, getattr(self, name), 0)
        for name in ("mixup", "cutmix"):
            if 0 < getattr(self, name) < _LEAST_ALPHA:
                raise ValueError(f"{name} must be 0, off, or at least {_LEAST_ALPHA:g}, got {getattr(self, name):g}")
        magnitude = self.rand_augment
        if magnitude is not None and not 0 <= magnitude < _MAGNITUDES:
            raise ValueError(f"rand_augment is a magnitude and must be in 0..{_MAGNITUDES - 1}, got {magnitude}")
        require_at_least("rand_augment_ops", self.rand_augment_ops, 1)
        require_at_least("pad_crop", self.pad_crop, 0)
        if not 0 <= self.random_erasing <= 1:
            raise ValueError(f"random_erasing is a probability and must be in [0, 1], got {self.random_erasing}")


class Augmentation:
    """Augments batches of clips with torchvision's transforms.

    Args:
        settings: What is done.
        num_classes: Number of classes, K.
        mean: Mean colour of the input, as a fraction of the full range: what is shown where no pixel is left.
    """

    def __init__(self, settings: AugmentationSettings, *, num_classes: int, mean: Sequence[float]) -> None:
        self._change = _pixel_transforms(settings, [255 * channel for channel in mean])
        self._mix = _mixing_transforms(settings, num_classes)

    def check_batch(self, clips: int) -> None:
        """Refuse to mix the clips of batches that have only one.

        Args:
            clips: Number of clips of a batch on one device.

        Raises:
            ValueError: If there is nothing to mix a clip with.
        """
        if self._mix and clips < 2:
            raise ValueError(
                f"mixup and cutmix mix the clips of a batch: data.batch_size must be >= 2, got {clips}; leave them out "
                "for single clips"
            )

    def __call__(self, views: Tensor, targets: Tensor, normalise: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            views: Clips, uint8 (B, 3, T, H, W).
            targets: Class numbers, int64 (B,), or of each class whether it is shown, (B, K).
            normalise: uint8 clips -> the input of the network.

        Returns:
            Clips (B, 3, T, H, W), normalised, and targets: as they were, or mixed, float (B, K).
        """
        if self._change:
            views = torch.stack([self._changed(view) for view in views])
        clips = normalise(views)
        if self._mix:
            from torchvision.tv_tensors import Video

            index = int(torch.randint(len(self._mix), ()))
            mixed, targets = self._mix[index](Video(clips), targets)
            clips = mixed.as_subclass(Tensor)
        return clips, targets

    def _changed(self, view: Tensor) -> Tensor:
        """Change a clip, uint8 (3, T, H, W); torchvision applies a transform alike to all frames, (T, 3, H, W)."""
        frames = view.transpose(0, 1)
        for change in self._change:
            frames = change(frames)
        return frames.transpose(0, 1)


def _pixel_transforms(settings: AugmentationSettings, fill: list[float]) -> list[nn.Module]:
    """What is done to the uint8 frames of a clip, in the order of timm's and torchvision's recipes."""
    changes: list[nn.Module] = [_PadCrop(settings.pad_crop)] if settings.pad_crop else []
    if not (settings.rand_augment is not None or settings.color_jitter or settings.random_erasing):
        return changes
    from torchvision.transforms import InterpolationMode, v2  # half a second, which few runs need

    if settings.rand_augment is not None:
        options = {"interpolation": InterpolationMode.BILINEAR, "fill": fill}
        changes.append(v2.RandAugment(settings.rand_augment_ops, settings.rand_augment, _MAGNITUDES, **options))
    if strength := settings.color_jitter:
        changes.append(v2.ColorJitter(strength, strength, strength))
    if settings.random_erasing:
        changes.append(v2.RandomErasing(settings.random_erasing, value=fill))
    return changes


class _PadCrop(nn.Module):
    """Puts black around frames and cuts a part of their size out at a random place (He et al. 2016, section 4.2).

    Args:
        padding: Number of pixels on each side.
    """

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (T, 3, H, W), uint8 -> as many of the same size."""
        height, width = frames.shape[-2:]
        top, left = torch.randint(2 * self.padding + 1, (2,)).tolist()
        padded = F.pad(frames, [self.padding] * 4)
        return padded[..., top : top + height, left : left + width]


def _mixing_transforms(settings: AugmentationSettings, num_classes: int) -> list[nn.Module]:
    """What mixes the clips of a batch; one of them is drawn for each."""
    mixes: list[nn.Module] = []
    if not (settings.mixup or settings.cutmix):
        return mixes
    from torchvision.transforms import v2

    if settings.mixup:
        mixes.append(v2.MixUp(alpha=settings.mixup, num_classes=num_classes))
    if settings.cutmix:
        mixes.append(v2.CutMix(alpha=settings.cutmix, num_classes=num_classes))
    return mixes
