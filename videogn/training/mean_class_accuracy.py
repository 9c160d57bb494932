"""Mean-class accuracy of a validation, over its batches and processes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from videogn.evaluation.class_accuracy import mean_class_accuracy


class MeanClassAccuracy(Metric):
    """`videogn.evaluation.class_accuracy.mean_class_accuracy` as a metric.

    torchmetrics' macro average counts a class without videos as wrong as soon as one video is taken for it.

    Args:
        num_classes: Number of classes, K.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    right: Tensor
    videos: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        for name in ("right", "videos"):
            self.add_state(name, torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        """Count videos.

        Args:
            probabilities: Probabilities (B, K).
            labels: Class numbers (B,).
        """
        shown = F.one_hot(labels, len(self.videos))
        self.videos += shown.sum(dim=0)
        self.right += shown[probabilities.argmax(dim=1) == labels].sum(dim=0)

    def compute(self) -> Tensor:
        """Compute the mean; NaN without videos."""
        mean = mean_class_accuracy(self.right.tolist(), self.videos.tolist())
        return torch.tensor(float("nan") if mean is None else mean, device=self.right.device)
