"""What a training run has come to so far: losses, learning rates and validations, as its curve is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Ends of the names of losses and counts.
_NO_SHARES = ("loss", "failed", "evaluated")


@dataclass(frozen=True)
class Stretch:
    """Part of an epoch that was trained.

    Attributes:
        epoch: Epochs at its end, with the part of the one that is not finished.
        loss: Mean training loss of its batches, in the first process.
        rate: Learning rate at its end.
    """

    epoch: float
    loss: float
    rate: float


@dataclass(frozen=True)
class Validation:
    """A validation.

    Attributes:
        epoch: Epochs trained before it.
        values: Name -> value, such as `val/loss` and `val/top1`.
    """

    epoch: float
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """A training run from its beginning, through all interruptions.

    Attributes:
        stretches: Parts of epochs, in order.
        validations: Validations, in order.
    """

    stretches: Sequence[Stretch] = ()
    validations: Sequence[Validation] = ()

    @property
    def accuracies(self) -> list[str]:
        """Names of the validated values that are shares, the one that counts first: not losses, and not counts."""
        names = dict.fromkeys(name for each in self.validations for name in each.values if is_share(name))
        return sorted(names, key=lambda name: name != "val/top1")

    def best(self, name: str, *, largest: bool = True) -> Validation | None:
        """Find the first validation with the best value of `name`, or None where none has one that is a number."""
        found = [each for each in self.validations if not math.isnan(each.values.get(name, math.nan))]
        sign = 1 if largest else -1
        return max(found, key=lambda each: sign * each.values[name], default=None)


def is_share(name: str) -> bool:
    """Return whether a value of a validation is a share of its videos, which is better when it is larger."""
    return name.startswith("val/") and not name.endswith(_NO_SHARES)
