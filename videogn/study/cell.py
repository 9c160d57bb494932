"""A cell of a study: one training run and its test, and the configuration for them."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from videogn.checks import read_json
from videogn.choices import MILESTONES, NetworkInput
from videogn.data.multigrid import Cycles, Multigrid
from videogn.study.budget import Budget
from videogn.study.stated_cell import check_cell
from videogn.system.displayable import one_line
from videogn.trust import is_dotted

#: Options that change how fast or in how much memory a cell runs, and nothing else.
_NO_MATTER = {"data": ("num_workers", "cache", "time_limit"), "model": ("clips_per_forward",)}
_SETTING = re.compile(r"(?P<length>[1-9]\d*)x(?P<interval>[1-9]\d*)(?:@(?P<batch>[1-9]\d*))?")


@dataclass(frozen=True)
class Norm:
    """A norm with its options.

    Attributes:
        name: Name in `videogn.norm.NORMS`, or dotted path of a factory.
        options: (name, value) of `--model.norm_options`, sorted by name.
        variant: What tells its cells from others with the norm, for instance "AdamW 0.001"; empty in most studies.
        fit: Options of `videogn fit` that only its cells have, as JSON, nested as in a configuration.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    variant: str = ""
    fit: str = "{}"

    @property
    def short_name(self) -> str:
        """Name in a title, for instance "GN", or "rms_group_norm" of my_package.norms.rms_group_norm."""
        return re.split("[.:]", self.name)[-1] if is_dotted(self.name) else self.name.upper()

    @property
    def label(self) -> str:
        """Name for people, for instance "GN" or "GN, groups 8"; see `norm_labels` for those of several norms."""
        options = [f"{name.replace('_', ' ')} {value}" for name, value in self.options]
        return one_line(", ".join([self.short_name, *options, *([self.variant] if self.variant else [])]))

    def configured(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Add the options of `fit` that only the norm's cells have to the configuration of all cells."""
        return merge(base, read_json(self.fit, "fit of a norm"))

    @property
    def slug(self) -> str:
        """Part of a folder's name, for instance gn-groups8; a dotted path is its last part and a hash."""
        name = f"{self.short_name}-{_hash(self.name)[:6]}" if is_dotted(self.name) else self.name
        variant = [self.variant] if self.variant else []
        return _slug("-".join([name, *(f"{option}{value}" for option, value in self.options), *variant]))


def norm_labels(norms: Iterable[Norm]) -> dict[Norm, str]:
    """Name norms for people so that no two have one label.

    Args:
        norms: The norms of a study or of a section of it.

    Returns:
        Norm -> label; equal last parts of two dotted paths are told apart by a hash, as in their folders.
    """
    norms = list(dict.fromkeys(norms))
    labels = [norm.label for norm in norms]
    return {
        norm: label if labels.count(label) == 1 else f"{label} ({_hash(norm.name)[:6]})"
        for norm, label in zip(norms, labels, strict=True)
    }


@dataclass(frozen=True)
class Cell:
    """One training run and its test.

    Attributes:
        norm: Norm with its options.
        clip_length: Frames in a clip, T.
        interval: Frames from one frame of a clip to the next.
        batch_size: Clips per normalisation batch (per device).
        accumulate: Batches whose gradients are added up before an optimiser step.
        budget: Length of the training run.
        scaling: Rule by which the learning rate follows the clips of a step: linear, sqrt or none.
        memory_mode: Activations that the forward pass keeps: plain, lean, block or stage.
        init: Source of the initial weights, as for --model.init_from, or None.
        seed: Seed of everything random.
        devices: Devices that the cell trains on.
        schedule: Shapes of the batches: constant; multigrid (both cycles), multigrid-long or multigrid-short.
    """

    norm: Norm
    clip_length: int
    interval: int
    batch_size: int
    accumulate: int
    budget: Budget
    scaling: str = "linear"
    memory_mode: str = "plain"
    init: str | None = None
    seed: int = 0
    devices: int = 1
    schedule: str = "constant"

    @property
    def setting(self) -> tuple[int, int, int]:
        """(clip length, interval, batch size): a row of the paper's Table 8."""
        return self.clip_length, self.interval, self.batch_size

    @property
    def clips_per_step(self) -> int:
        """Clips of an optimiser step over all devices."""
        return self.batch_size * self.accumulate * self.devices

    @property
    def name(self) -> str:
        """Name of the cell's folder, for instance gn_16x1_batch2x4_24epochs_seed0 (4 batches of 2 a step)."""
        batch = f"batch{self.batch_size}" + (f"x{self.accumulate}" if self.accumulate > 1 else "")
        parts = [self.norm.slug, f"{self.clip_length}x{self.interval}", batch, self.budget.slug]
        parts += [] if self.scaling == "linear" else [f"lr-{self.scaling}"]
        parts += [] if self.memory_mode == "plain" else [self.memory_mode]
        parts += [] if self.devices == 1 else [f"{self.devices}devices"]
        parts += [] if self.schedule == "constant" else [self.schedule]
        parts += [] if self.init is None else [_source_slug(self.init)]
        return "_".join([*parts, f"seed{self.seed}"])

    def cycles(self, base: Mapping[str, Any]) -> Cycles | None:
        """Shapes of the cell's batches in multigrid training, or None.

        Args:
            base: Configuration that all cells have in common.
        """
        if self.schedule == "constant":
            return None
        model = self.norm.configured(base).get("model") or {}
        return Cycles(
            cycles=multigrid_option(self.schedule)["multigrid"],
            clip_length=self.clip_length,
            interval=self.interval,
            crop_size=model.get("crop_size") or NetworkInput.crop_size,
            batch_size=self.batch_size,
            milestones=tuple(model.get("milestones") or MILESTONES),
        )

    def frames_per_step(self, base: Mapping[str, Any]) -> float:
        """Frames of an optimiser step over all devices; with multigrid the mean. Argument as for `cycles`."""
        cycles = self.cycles(base)
        each = self.clip_length * self.batch_size if cycles is None else cycles.frames_per_batch
        return each * self.accumulate * self.devices

    def steps(self, base: Mapping[str, Any], videos: int | None) -> int | None:
        """Count the optimiser steps of the cell.

        Args:
            base: Configuration that all cells have in common.
            videos: Number of training videos, or None.

        Returns:
            At least 1; None where it is not known beforehand.
        """
        cycles, frames = self.cycles(base), self.frames_per_step(base)
        if cycles is None or self.budget.kind != "epochs" or videos is None:
            return self.budget.steps(frames, self.clips_per_step, videos, accumulate=self.accumulate)
        epochs = int(self.budget.amount)
        return Multigrid.of_epochs(cycles, videos // self.devices, epochs, accumulate=self.accumulate).steps

    @staticmethod
    def read(content: Mapping[str, Any]) -> Cell:
        """Read a cell that `dataclasses.asdict` and JSON have written."""
        check_cell(content)
        norm = Norm(
            **{**content["norm"], "options": tuple((name, value) for name, value in content["norm"]["options"])}
        )
        cell = Cell(**{**content, "norm": norm, "budget": Budget(**content["budget"])})
        hash(cell), cell.name  # fail where a value is of another kind, as in a file of somebody else's
        norm.configured({})
        return cell

    def fit_config(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Configuration of `videogn fit` for this cell, without the places that it reads from and writes to.

        Args:
            base: Configuration that all cells have in common, nested as in a file; the cell's own settings win.

        Returns:
            The merged configuration.
        """
        named = (base.get("model") or {}).get("arch_options") or {}
        # Plain is what a network does by itself; one from another package need not have the option.
        modes = {} if self.memory_mode == "plain" and "memory_mode" not in named else {"memory_mode": self.memory_mode}
        own = {
            "seed_everything": self.seed,
            "model": {
                "norm": self.norm.name,
                "norm_options": dict(self.norm.options) or None,
                "arch_options": modes,
                "clip_length": self.clip_length,
                "interval": self.interval,
                "init_from": self.init,
                **({"base_batch": None} if self.scaling == "none" else {"scaling": self.scaling}),
            },
            "data": {"batch_size": self.batch_size, **multigrid_option(self.schedule)},
            "trainer": {
                "devices": self.devices,
                "accumulate_grad_batches": self.accumulate,
                **self.budget.trainer_options(self.frames_per_step(base)),
                "enable_progress_bar": False,
            },
        }
        return merge(self.norm.configured(base), own)


@dataclass(frozen=True)
class Section:
    """The cells of one budget; a cell may be in several sections.

    Attributes:
        title: What the cells have in equal measure, for instance "24 epochs, steps of 8 clips".
        note: What is compared, in a sentence; may be empty.
        cells: All cells, finished or not, in the order of the grid.
    """

    title: str
    note: str
    cells: tuple[Cell, ...]


def multigrid_option(schedule: str) -> dict[str, str]:
    """Option of the data that a schedule of `videogn.choices.CellScheduleName` stands for; none for constant."""
    if schedule == "constant":
        return {}
    return {"multigrid": schedule.partition("-")[2] or "both"}


def fingerprint(fit_config: Mapping[str, Any], own_data: Mapping[str, Any] | None) -> str:
    """Hash the settings that a result depends on: a result is only good for its configuration.

    Args:
        fit_config: Configuration of `Cell.fit_config`.
        own_data: What the data set is that the study makes for itself (`OwnData.identity`), or None.

    Returns:
        SHA-256, hexadecimal.
    """
    # The default is the same setting whether it is said or not.
    fit_config = merge({"model": {"arch_options": {"memory_mode": "plain"}}}, fit_config)
    matters = {
        name: {key: value for key, value in part.items() if key not in _NO_MATTER.get(name, ())}
        if isinstance(part, Mapping)
        else part
        for name, part in fit_config.items()
    }
    return _hash(json.dumps([matters, own_data], sort_keys=True))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings as repeated --config files are merged: the later wins, key by key.

    Args:
        base: The earlier mapping.
        over: The later mapping.

    Returns:
        A new mapping; nothing of the arguments is shared.
    """
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        old = merged.get(key)
        # Options of one norm mean nothing to another.
        if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "norm_options":
            merged[key] = merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def parse_clip(text: str) -> tuple[int, int]:
    """Read "32x2": clips of 32 frames at interval 2.

    Raises:
        ValueError: It is anything else, or a number is 0.
    """
    found = _SETTING.fullmatch(str(text))
    if found is None or found["batch"] is not None:
        raise ValueError(f"a clip is LENGTHxINTERVAL, for instance 32x2, got {text!r}")
    return int(found["length"]), int(found["interval"])


def parse_setting(text: str) -> tuple[int, int, int]:
    """Read "32x2@8": clips of 32 frames at interval 2, 8 clips a batch.

    Raises:
        ValueError: It is anything else, or a number is 0.
    """
    found = _SETTING.fullmatch(str(text))
    if found is None or found["batch"] is None:
        raise ValueError(f"a setting is LENGTHxINTERVAL@BATCH, for instance 32x2@8, got {text!r}")
    return int(found["length"]), int(found["interval"]), int(found["batch"])


def _source_slug(source: str) -> str:
    """A source may be a path or an address: its last part to recognise it by, a hash to tell it from others."""
    last = re.split(r"[:/\\]", source)[-1][:24]
    return f"from-{_slug(last)}-{_hash(source)[:6]}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9.+-]+", "-", text).strip("-")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
