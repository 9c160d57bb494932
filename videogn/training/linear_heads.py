"""Linear classifiers of features, one for every learning rate and weight decay, all trained in the same passes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_MOMENTUM = 0.9
#: A probability below it counts as this one.
_LEAST = 1e-30


@dataclass(frozen=True)
class Standardisation:
    """Shift and scale of features: z = (x - mean) / scale, with variance 1 / C of each and |z|^2 = 1 in the mean.

    The usual 1 would make good learning rates depend on the number C of features.

    Attributes:
        mean: Mean of each feature, float64 (C,).
        scale: Standard deviation of each feature times sqrt(C), float64 (C,); sqrt(C) for one that is constant.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Standardisation:
        """Measure features (N, C)."""
        std, mean = torch.std_mean(features.double(), dim=0, correction=0)
        constant = std <= 1e-6 * mean.abs()  # also of one clip
        return cls(mean, torch.where(constant, 1.0, std) * math.sqrt(features.shape[1]))

    def __call__(self, features: Tensor) -> Tensor:
        """Standardise features (N, C); in float32."""
        return ((features.double() - self.mean) / self.scale).float()

    def folded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Make of a classifier of standardised features one of the features as they are: W / s and b - (W / s) m.

        Args:
            weight: Weight (K, C).
            bias: Bias (K,).

        Returns:
            Weight and bias, float64.
        """
        weight = weight.double() / self.scale
        return weight, bias.double() - weight @ self.mean


@dataclass(frozen=True)
class Trial:
    """A learning rate with a weight decay, and what came of it.

    Attributes:
        lr: Learning rate.
        weight_decay: Weight decay.
        top1: Share of validation videos whose class comes first.
        loss: Mean over the validation videos of -log p of their class; NaN where the training diverged.
        weight: Weight (K, C).
        bias: Bias (K,).
    """

    lr: float
    weight_decay: float
    top1: float
    loss: float
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Clips:
    """Features of clips, with what they belong to.

    Attributes:
        features: Features, float32 (N, C).
        labels: Class of each clip, int64 (N,).
        videos: Number of each clip's video, int64 (N,), from 0 on.
    """

    features: Tensor
    labels: Tensor
    videos: Tensor


def train_heads(
    clips: Clips,
    num_classes: int,
    rates: Sequence[float],
    decays: Sequence[float],
    *,
    epochs: int,
    batch_size: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[float, float, Tensor, Tensor]]:
    """Train a linear classifier for every learning rate with every weight decay.

    Each minimises its mean cross-entropy plus decay / 2 |W|^2, not that of the bias, by SGD with Nesterov momentum 0.9,
    from zero, its rate lowered to 0 along half a cosine. All see the same batches, and none depends on another.

    Args:
        clips: Training clips, their features standardised.
        num_classes: Number of classes K.
        rates: Learning rates.
        decays: Weight decays.
        epochs: Passes over the clips.
        batch_size: Number of clips in a step, at most. Default: 256.
        seed: Seed of the order of the clips. Default: 0.
        progress: Function called with (passes done, passes in all).

    Returns:
        Learning rate, weight decay, weight (K, C) and bias (K,) of each classifier.
    """
    count, width = clips.features.shape
    device = clips.features.device
    grid = list(itertools.product(rates, decays))
    weights = [torch.zeros(num_classes, width, device=device, requires_grad=True) for _ in grid]
    biases = [torch.zeros(num_classes, device=device, requires_grad=True) for _ in grid]
    groups = []
    for (rate, decay), weight, bias in zip(grid, weights, biases, strict=True):
        groups += [{"params": [weight], "lr": rate, "weight_decay": decay}, {"params": [bias], "lr": rate}]
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=_MOMENTUM, nesterov=True)
    order = torch.Generator().manual_seed(seed)
    steps = epochs * math.ceil(count / batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    for epoch in range(epochs):
        for rows in torch.randperm(count, generator=order).to(device).split(batch_size):
            scores = torch.einsum("nc,gkc->gnk", clips.features[rows], torch.stack(weights))
            scores = scores + torch.stack(biases)[:, None]
            targets = clips.labels[rows].expand(len(grid), -1)
            loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum") / len(rows)
            optimizer.zero_grad()
            loss.backward()  # of the sum: each classifier has the gradient of its own mean
            optimizer.step()
            schedule.step()
        progress(epoch + 1, epochs)
    return [(*each, weight.detach(), bias.detach()) for each, weight, bias in zip(grid, weights, biases, strict=True)]


def evaluate_heads(heads: Sequence[tuple[float, float, Tensor, Tensor]], clips: Clips) -> list[Trial]:
    """Test classifiers on videos: softmax of each clip, mean over the clips of a video, as `videogn test` does.

    Args:
        heads: Of `train_heads`.
        clips: Validation clips, standardised as the training clips were.

    Returns:
        One trial for each, in the same order.
    """
    number = int(clips.videos.max()) + 1
    labels = torch.zeros(number, dtype=torch.long, device=clips.labels.device)
    labels[clips.videos] = clips.labels
    counts = torch.bincount(clips.videos, minlength=number)[:, None]
    trials = []
    for rate, decay, weight, bias in heads:
        shares = F.linear(clips.features, weight, bias).softmax(1) / counts[clips.videos]
        videos = torch.zeros(number, len(bias), device=shares.device).index_add_(0, clips.videos, shares)
        top1 = (videos.argmax(1) == labels).double().mean()
        likelihood = videos.gather(1, labels[:, None]).double().clamp(min=_LEAST)
        loss = -likelihood.log().mean()
        trials.append(Trial(rate, decay, float(top1), float(loss), weight, bias))
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """Choose by validation top-1, of equal ones by the lower loss, and then the first.

    Raises:
        FloatingPointError: All have diverged.
    """
    finite = [trial for trial in trials if math.isfinite(trial.loss)]
    if not finite:
        rates = ", ".join(f"{rate:g}" for rate in dict.fromkeys(trial.lr for trial in trials))
        raise FloatingPointError(f"no classifier has a finite loss, at learning rates {rates}: try lower ones")
    return min(finite, key=lambda trial: (-trial.top1, trial.loss))
