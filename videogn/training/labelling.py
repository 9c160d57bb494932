"""What differs between videos of one class and videos that may show several: targets, loss, probabilities, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from videogn.axes import Sample
from videogn.choices import TOP_K
from videogn.evaluation import clip_probabilities
from videogn.training.mean_class_accuracy import MeanClassAccuracy
from videogn.training.objective import Objective, SeveralLabelsObjective


class Labelling(Protocol):
    """How videos are labelled.

    Attributes:
        several: Whether a video may show several classes, or none.
        objective: Class of the loss.
        first_metric: Name of the validation metric that a progress bar shows.
    """

    several: bool
    objective: type[Objective]
    first_metric: str

    def targets(self, samples: Sequence[Sample]) -> Tensor:
        """Return what the loss and the metrics compare with: class numbers (B,), or 0 and 1 for each class (B, K)."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """Compute probabilities (B, K) of logits (B, K, T', H', W'); ValueError where they are not finite."""

    def metrics(self) -> MetricCollection:
        """Make the metrics of a validation, of probabilities and targets."""


class OneLabel:
    """Every video has one class: softmax and cross-entropy, accuracies.

    Args:
        num_classes: Number of classes, K.
    """

    several: bool = False
    objective: type[Objective] = Objective
    first_metric: str = "val/top1"

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes

    def targets(self, samples: Sequence[Sample]) -> Tensor:
        return torch.tensor([sample.label for sample in samples])

    def probabilities(self, logits: Tensor) -> Tensor:
        return clip_probabilities(logits)

    def metrics(self) -> MetricCollection:
        metrics: dict[str, Metric | MetricCollection] = {f"val/top{k}": self._accuracy(k) for k in (1, TOP_K)}
        metrics["val/mean_class_accuracy"] = MeanClassAccuracy(self._num_classes)
        return MetricCollection(metrics, compute_groups=False)  # groups can merge top-1 with top-5

    def _accuracy(self, k: int) -> MulticlassAccuracy:
        # Published numbers are averages over videos (micro); the default, macro, averages over classes.
        return MulticlassAccuracy(num_classes=self._num_classes, top_k=min(k, self._num_classes), average="micro")


class SeveralLabels:
    """A video may show several classes, or none: sigmoid and binary cross-entropy, mean average precision.

    Args:
        num_classes: Number of classes, K.
    """

    several: bool = True
    objective: type[Objective] = SeveralLabelsObjective
    first_metric: str = "val/map"

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes

    def targets(self, samples: Sequence[Sample]) -> Tensor:
        shown = [torch.tensor(sample.labels or (), dtype=torch.int64) for sample in samples]
        return torch.stack([F.one_hot(each, self._num_classes).sum(dim=0) for each in shown])

    def probabilities(self, logits: Tensor) -> Tensor:
        return clip_probabilities(logits, several_labels=True)

    def metrics(self) -> MetricCollection:
        from videogn.training.mean_average_precision import MeanAveragePrecision  # few trainings need it

        return MetricCollection({"val/map": MeanAveragePrecision()})
