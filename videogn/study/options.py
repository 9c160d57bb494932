"""Options of `videogn fit` in a grid: known to it, and not what the grid itself decides."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videogn.study.yaml_values import check_keys, section

#: Option of `videogn fit` -> what of a grid decides it.
_DECIDED = {
    "seed_everything": "the axis seed",
    "model.norm": "the axis norm",
    "model.norm_options": "the axis norm, for instance {name: gn, groups: 8}",
    "model.clip_length": "the axis clip",
    "model.interval": "the axis clip",
    "model.scaling": "scaling of the budget",
    "data.batch_size": "the axis batch_size",
    "trainer.max_epochs": "the budget",
    "trainer.max_steps": "the budget",
    "trainer.max_time": "the budget",
    "trainer.accumulate_grad_batches": "step_clips of the budget",
}


def check_decided(fit: Mapping[str, Any], *, motion: bool) -> None:
    """Refuse options that every cell would replace: who gives them believes that they count.

    Args:
        fit: what the grid's `fit` and the command line set.
        motion: whether the study makes its own data.

    Raises:
        ValueError: one of them is decided by something else of the grid.
    """
    decided = {**_DECIDED, **({"data.root": "motion, the data that the study makes"} if motion else {})}
    for option, by in decided.items():
        part, _, name = option.rpartition(".")
        if name in (section(fit, part) if part else fit):
            raise ValueError(f"{option} cannot be set for all cells: it is decided by {by}")


def check_known(base: Mapping[str, Any]) -> None:
    """Refuse options that `videogn fit` does not have, before the first cell finds out.

    Args:
        base: configuration of all cells.

    Raises:
        ValueError: an unknown option, with the nearest known one.
    """
    from lightning.pytorch import Trainer

    from videogn.data.datamodule import VideoDataModule
    from videogn.training.task import VideoClassifier

    check_keys("section of `videogn fit`", base, ("seed_everything", "trainer", "model", "data", "checkpoint"))
    for name, owner in (("trainer", Trainer), ("model", VideoClassifier), ("data", VideoDataModule)):
        check_keys(f"option of {name}", section(base, name), list(inspect.signature(owner).parameters))


def check_data(base: Mapping[str, Any]) -> None:
    """Refuse a study of videos that are not there.

    Args:
        base: configuration of all cells, of a study that does not make its own data.

    Raises:
        ValueError: no videos are named.
        FileNotFoundError: those that are do not exist.
    """
    data = section(base, "data")
    places = {name: data[name] for name in ("root", "train", "val", "test") if data.get(name) is not None}
    if not places:
        raise ValueError("no videos: add --set data.root=FOLDER, or motion: to the grid")
    for name, place in places.items():
        if "://" not in str(place) and not Path(place).expanduser().exists():
            raise FileNotFoundError(f"no such file or folder: {place} (data.{name})")
