"""Length of a training run: equal epochs, iterations, frames or wall time for all cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from videogn.checks import check_choice, is_number
from videogn.choices import BudgetName

#: Units of a budget, as a grid names them.
KINDS = get_args(BudgetName)


@dataclass(frozen=True)
class Budget:
    """Amount of training that every cell gets.

    Attributes:
        kind: epochs, iterations (optimiser steps), frames (of clips, decoded and trained on) or minutes (wall clock).
        amount: Number of these units, > 0; a whole number but for minutes.

    Raises:
        ValueError: The kind is unknown, or the amount out of range.
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        check_choice("budget", self.kind, KINDS)
        amount = self.amount
        if not is_number(amount) or amount <= 0:
            raise ValueError(f"budget must have {self.kind} > 0, got {amount!r}")
        if self.kind != "minutes" and int(amount) != amount:
            raise ValueError(f"budget must have whole {self.kind}, got {amount:g}")

    @property
    def label(self) -> str:
        """Length for people, for instance "24 epochs"."""
        amount = int(self.amount) if int(self.amount) == self.amount else self.amount
        return f"{amount} {self.kind.removesuffix('s') if amount == 1 else self.kind}"

    @property
    def slug(self) -> str:
        """Part of a folder's name, for instance 24epochs."""
        return self.label.replace(" ", "")

    def steps(
        self, frames_per_step: float, clips_per_step: int, videos: int | None, *, accumulate: int = 1
    ) -> int | None:
        """Count the optimiser steps of the budget.

        Args:
            frames_per_step: Frames of an optimiser step over all devices.
            clips_per_step: Clips of an optimiser step over all devices.
            videos: Number of training videos, or None; an incomplete last batch of an epoch is dropped.
            accumulate: Batches of a step; the last step of an epoch may have fewer.

        Returns:
            At least 1; None where it is not known beforehand.
        """
        if self.kind == "iterations":
            return int(self.amount)
        if self.kind == "frames":
            return max(round(self.amount / frames_per_step), 1)
        if self.kind == "epochs" and videos is not None:
            batches = videos // (clips_per_step // accumulate)
            return int(self.amount) * max(-(-batches // accumulate), 1)
        return None

    def trainer_options(self, frames_per_step: float) -> dict[str, Any]:
        """Options of the Trainer that end the training run with the budget.

        Args:
            frames_per_step: Frames of an optimiser step over all devices.

        Returns:
            max_epochs, max_steps and max_time; those that do not apply have their "no limit" value.
        """
        options: dict[str, Any] = {"max_epochs": -1, "max_steps": -1, "max_time": None}
        if self.kind == "epochs":
            return {**options, "max_epochs": int(self.amount)}
        if self.kind == "minutes":
            seconds = max(round(60 * self.amount), 1)
            hours, rest = divmod(seconds, 3600)
            return {**options, "max_time": f"{hours // 24:02d}:{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}"}
        return {**options, "max_steps": self.steps(frames_per_step, 1, None)}
