"""What a training step minimises: the cross-entropy at every position, and its variants for uneven classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.checks import existing_path


@dataclass(frozen=True, kw_only=True)
class ObjectiveSettings:
    """The loss of a training run. Validation always measures the plain cross-entropy.

    Args:
        label_smoothing: Share of each target that is spread over all classes evenly.
        class_weights: Weights of the classes in the loss: `balanced` (a class of few training videos weighs as much as
            one of many), a list with a number for each class in their order, a mapping from class names, where a
            class that is not named weighs 1, or a YAML file with one of these.
        focal_gamma: Exponent of the focal loss (Lin et al. 2017, equation 5), which turns from videos that are already
            right to those that are not; 2 there. 0 is the cross-entropy.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a number is out of range, or a file holds something else.
    """

    label_smoothing: float = 0.0
    class_weights: str | list[float] | dict[str, float] | None = None
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")
        if not 0 <= self.focal_gamma < float("inf"):
            raise ValueError(f"focal_gamma must be a number >= 0, got {self.focal_gamma}")
        if isinstance(self.class_weights, str) and self.class_weights != "balanced":
            object.__setattr__(self, "class_weights", _read_weights(self.class_weights))  # checkpoints hold the numbers


class Objective(nn.Module):
    """Loss of logits per position, averaged over all positions of all clips.

    It is `torch.nn.functional.cross_entropy` with these options. With `focal_gamma` the term of a class is multiplied
    by (1 - p)^gamma, p its probability (Lin et al. 2017, equation 5, with the class weights as alpha). As in torch, a
    mean over class numbers is weighted by their classes, and one over soft targets is over their number.

    Args:
        label_smoothing: Share of each target that is spread over all classes evenly. Default: 0.
        class_weights: Weight of each class, (K,). Default: all 1.
        focal_gamma: Exponent of the focal loss. Default: 0.

    Example:
        >>> import torch
        >>> from videogn.training.objective import Objective
        >>> logits = torch.zeros(2, 4, 1, 7, 7)  # (B, K, T', H', W')
        >>> round(Objective()(logits, torch.tensor([0, 3])).item(), 4)  # ln 4
        1.3863
        >>> round(Objective(focal_gamma=2)(logits, torch.tensor([0, 3])).item(), 4)  # (3/4)^2 ln 4
        0.7798
    """

    class_weights: Tensor | None

    def __init__(
        self, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None, focal_gamma: float = 0.0
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: Logits (B, K, T', H', W') of any floating dtype.
            targets: Class numbers, int64 (B,), or probabilities of the classes (B, K).

        Returns:
            The mean, a scalar, float64 if the logits are, else float32.
        """
        logits = logits if logits.dtype == torch.float64 else logits.float()
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        wanted = at_every_position(targets, logits)
        if self.focal_gamma == 0:
            return F.cross_entropy(logits, wanted, weight=weights, label_smoothing=self.label_smoothing)
        return self._focal(logits, wanted, weights)

    def balance(self, counts: NDArray[np.int64], videos: int) -> None:
        """Weigh the classes by their training videos, see `balanced_weights`.

        Args:
            counts: Number of training videos of each class, (K,).
            videos: Number of training videos.
        """
        self.class_weights = balanced_weights(counts)

    def chance(self, counts: Tensor) -> float | None:
        """Compute the loss of the best answer that is the same for every clip: the entropy of the targets.

        Mixed targets have the same one, since the loss of a constant answer is linear in the targets.

        Args:
            counts: Number of clips of each class, (K,).

        Returns:
            The loss, or None with class weights or the focal loss, where it is another.

        Example:
            >>> import torch
            >>> from videogn.training.objective import Objective
            >>> round(Objective().chance(torch.tensor([50, 50])), 4)  # ln 2
            0.6931
        """
        if self.class_weights is not None or self.focal_gamma > 0:
            return None
        shares = counts.double() / counts.sum()
        shares = shares * (1 - self.label_smoothing) + self.label_smoothing / len(counts)
        return float(-torch.xlogy(shares, shares).sum())

    def _focal(self, logits: Tensor, wanted: Tensor, weights: Tensor | None) -> Tensor:
        classes = logits.shape[1]
        by_number = wanted.ndim < logits.ndim
        shares = F.one_hot(wanted, classes).movedim(-1, 1) if by_number else wanted
        weights = logits.new_ones(classes) if weights is None else weights
        count = weights[wanted].sum() if by_number else wanted[:, 0].numel()
        shares = shares.to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / classes
        logs = logits.log_softmax(dim=1)
        # 1 - p without cancellation; not 0, where a power below 1 has no slope.
        away = (-torch.expm1(logs)).clamp_min(torch.finfo(logs.dtype).tiny)
        return -(torch.movedim(away**self.focal_gamma * shares * logs, 1, -1) @ weights).sum() / count


class SeveralLabelsObjective(Objective):
    """Loss of logits per position where a video may show several classes, averaged over positions, clips and classes.

    It is `torch.nn.functional.binary_cross_entropy_with_logits` with the class weights as `pos_weight`: they weigh the
    videos that show a class against those that do not. `label_smoothing` moves targets towards 1/2 by that share. With
    `focal_gamma` the term of a class is multiplied by (1 - p)^gamma, p the probability of what is right (Lin et al.
    2017, equation 5).

    Args: those of `Objective`.

    Example:
        >>> import torch
        >>> from videogn.training.objective import SeveralLabelsObjective
        >>> logits = torch.zeros(1, 4, 1, 7, 7)  # (B, K, T', H', W')
        >>> round(SeveralLabelsObjective()(logits, torch.tensor([[1, 0, 1, 0]])).item(), 4)  # ln 2
        0.6931
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: Logits (B, K, T', H', W') of any floating dtype.
            targets: 1 for a class that is shown, 0 for one that is not, or shares (B, K).

        Returns:
            The mean, a scalar, float64 if the logits are, else float32.
        """
        logits = logits if logits.dtype == torch.float64 else logits.float()
        wanted = at_every_position(targets, logits).to(logits.dtype)
        wanted = wanted * (1 - self.label_smoothing) + self.label_smoothing / 2
        weights = torch.ones(logits.shape[1]) if self.class_weights is None else self.class_weights
        weights = weights.to(logits)[:, *(None for _ in logits.shape[2:])]
        if self.focal_gamma == 0:
            return F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=weights)
        shown = -(logits.neg().sigmoid() ** self.focal_gamma) * F.logsigmoid(logits)
        not_shown = -(logits.sigmoid() ** self.focal_gamma) * F.logsigmoid(-logits)
        return (weights * wanted * shown + (1 - wanted) * not_shown).mean()

    def balance(self, counts: NDArray[np.int64], videos: int) -> None:
        """Weigh classes by the ratio of the training videos that do not show them to those that do; 1 without any."""
        weights = np.where(counts > 0, (videos - counts) / np.maximum(counts, 1), 1.0)
        self.class_weights = torch.from_numpy(weights).float()

    def chance(self, counts: Tensor) -> None:
        """None: one count a class does not tell how many videos show it."""
        return


def make_objective(kind: type[Objective], settings: ObjectiveSettings, classes: Sequence[str]) -> Objective:
    """Make the loss of a training run; balanced class weights are set when its videos are known.

    Args:
        kind: `Objective`, or its variant where a video may show several classes.
        settings: Its options.
        classes: Class names in the order of their numbers.

    Raises:
        ValueError: The class weights do not fit the classes.
    """
    weights = settings.class_weights
    return kind(
        label_smoothing=settings.label_smoothing,
        class_weights=None if weights is None or isinstance(weights, str) else weights_by_class(weights, classes),
        focal_gamma=settings.focal_gamma,
    )


def at_every_position(targets: Tensor, logits: Tensor) -> Tensor:
    """Repeat targets (B, ...) at every position of logits (B, K, T', H', W'): (B, ..., T', H', W'), a view."""
    positions = logits.shape[2:]
    return targets[(..., *(None for _ in positions))].expand(*targets.shape, *positions)


def weights_by_class(weights: Sequence[float] | Mapping[str, float], classes: Sequence[str]) -> Tensor:
    """Bring class weights into the order of the classes.

    Args:
        weights: A number for each class in their order, or class name -> number; 1 for those that are not named.
        classes: Class names in the order of their numbers.

    Returns:
        Weights, float32 (K,).

    Raises:
        ValueError: A number is negative or not finite, all are 0, there are not as many as classes, or a name is none.
    """
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in classes:
                raise ValueError(f"class_weights names {name!r}, which is no class; the classes are {_few(classes)}")
        weights = [weights.get(name, 1.0) for name in classes]
    if len(weights) != len(classes):
        raise ValueError(f"class_weights must be one number for each of the {len(classes)} classes, got {len(weights)}")
    values = torch.tensor([float(weight) for weight in weights])
    if not (torch.isfinite(values).all() and (values >= 0).all() and values.any()):
        raise ValueError(f"class_weights must be numbers >= 0 and not all 0, got {list(weights)}")
    return values


def balanced_weights(counts: NDArray[np.int64]) -> Tensor:
    """Weigh classes inversely to their counts, so that all weigh alike and the mean over the videos is 1.

    Args:
        counts: Number of training videos of each class, (K,).

    Returns:
        n / (K n_k), float32 (K,), where K counts the classes with videos; 0 for the others.
    """
    there = counts > 0
    weights = counts.sum() / (max(there.sum(), 1) * np.maximum(counts, 1)) * there
    return torch.from_numpy(weights).float()


def _read_weights(file: str) -> list[float] | dict[str, float]:
    try:
        path = existing_path(file)
    except FileNotFoundError:
        raise ValueError(
            f"class_weights must be balanced, numbers, a mapping from class names or a file of these, got {file!r}"
        ) from None
    try:
        weights = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if isinstance(weights, dict):
            return {str(name): float(weight) for name, weight in weights.items()}
        return [float(weight) for weight in weights]
    except (ValueError, TypeError, yaml.YAMLError):
        raise ValueError(f"{file} must hold a YAML list of numbers, or lines such as 'class: 2.5'") from None


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
