"""Mean average precision of a validation, over its batches and processes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from videogn.evaluation.average_precision import average_precisions, mean_of_known


class MeanAveragePrecision(Metric):
    """`videogn.evaluation.average_precision` as a metric, averaged over the classes that a video shows.

    torchmetrics' macro average takes in classes that no video shows.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    probabilities: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("probabilities", "targets"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Keep what is ranked at the end.

        Args:
            probabilities: Probabilities (B, K).
            targets: 1 for a class that is shown, 0 for one that is not (B, K).
        """
        self.probabilities.append(probabilities)
        self.targets.append(targets)

    def compute(self) -> Tensor:
        """Compute the mean; NaN if no video shows a class."""
        if not len(self.targets):
            return torch.tensor(float("nan"), device=self.device)
        scores, shown = (dim_zero_cat(each).cpu().numpy() for each in (self.probabilities, self.targets))
        mean = mean_of_known(average_precisions(scores, shown.astype(bool), shown.sum(axis=0)))
        return torch.tensor(float("nan") if mean is None else mean, device=self.device)
