"""What is known of a network's test and training: the results.json of `videogn test` and the config.yaml of its fit."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from videogn.checks import existing_path, expanded

_log = logging.getLogger(__name__)

RESULTS = "results.json"
CONFIG = "config.yaml"
#: Settings of a training run that make the network what it is. Others name places of a machine, or change nothing.
_TRAINER = (
    *("max_epochs", "max_steps", "max_time", "precision", "devices", "num_nodes"),
    *("accumulate_grad_batches", "gradient_clip_val"),
)
_DATA = (
    *("batch_size", "train_short_sides", "random_resized_crop", "random_resized_crop_ratio", "flip"),
    *("use_truncated", "seed"),
)
_NOT_THE_MODEL = ("results_dir", "clips_per_forward", "save_clip_probabilities", "class_names")


@dataclass(frozen=True)
class RunRecords:
    """Records of a network, each None if it is not known.

    Attributes:
        results: Content of the results.json of its test.
        training: Settings of its training run, as a configuration of `videogn fit` without places of a machine.
    """

    results: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None


def find_records(source: str | Path, about: Mapping[str, Any], results: str | Path | None = None) -> RunRecords:
    """Find the records of a network: beside its checkpoint, or where the user says.

    Args:
        source: Source of the network.
        about: What is known about it, see `videogn.inference.load_network`.
        results: File results.json or its folder. Default: that beside the checkpoint or in the folder above, if it is
            the result of this checkpoint.

    Returns:
        The records.

    Raises:
        FileNotFoundError: There are no results where the user says.
        ValueError: They are not results of `videogn test`, or those of another network.
    """
    checkpoint = expanded(source)
    near = [checkpoint.resolve().parent, checkpoint.resolve().parent.parent] if checkpoint.is_file() else []
    training = next((_training(folder / CONFIG) for folder in near if (folder / CONFIG).is_file()), None)
    if results is not None:
        path = existing_path(results)
        path = existing_path(path / RESULTS) if path.is_dir() else path
        found = _results(path)
        if (reason := _difference(found, about)) is not None:
            raise ValueError(f"{path} is the test of another network: {reason}")
        return RunRecords(found, training)
    return RunRecords(_results_beside(checkpoint, near, about), training)


def _results_beside(checkpoint: Path, folders: list[Path], about: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for folder in folders:
        if (folder / RESULTS).is_file():
            found = _results(folder / RESULTS)
            reason = _older_or_other(folder / RESULTS, found, checkpoint) or _difference(found, about)
            if reason is None:
                return found
            _log.warning("%s is not taken over into the model card: %s", folder / RESULTS, reason)
    return None


def _older_or_other(path: Path, results: Mapping[str, Any], checkpoint: Path) -> str | None:
    """Say why results that lie beside a checkpoint are not those of this very file, if so."""
    tested = Path(str(results.get("checkpoint")))
    if tested.name != checkpoint.name or (tested.exists() and not tested.samefile(checkpoint)):
        return f"it is the test of {tested}"
    if path.stat().st_mtime < checkpoint.stat().st_mtime:
        return f"it is older than {checkpoint}, which may have been trained further"
    return None


def _results(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a results.json of `videogn test`: it is no JSON file") from error
    needed = {"over_all", "over_decodable", "counts", "k_of_top5", "protocol", "per_class", "model"}
    if not isinstance(found, dict) or not found.keys() >= needed:
        raise ValueError(f"{path} is not a results.json of `videogn test`: it lacks accuracies, protocol or network")
    return found


def _difference(results: Mapping[str, Any], about: Mapping[str, Any]) -> str | None:
    """Say in what a tested network differs from this one, if it does."""
    for name in ("arch", "norm", "norm_options"):
        tested, own = results["model"].get(name) or None, about.get(name) or None
        if tested != own:
            return f"its {name} is {tested}, not {own}"
    if [entry["class"] for entry in results["per_class"]] != list(about["class_names"]):
        return "its classes are others"
    return None


def _training(path: Path) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        return None  # of another program
    model = {name: value for name, value in content["model"].items() if name not in _NOT_THE_MODEL}
    start = model.get("init_from")
    if start is not None and ":" not in start:
        model["init_from"] = Path(start).name  # where it lay is nobody's business
    parts: dict[str, Any] = {"seed_everything": content.get("seed_everything")}
    parts |= {"trainer": _some(content.get("trainer"), _TRAINER), "model": _some(model, tuple(model))}
    parts["data"] = _some(content.get("data"), _DATA)
    return _some(parts, tuple(parts))


def _some(settings: Any, names: tuple[str, ...]) -> dict[str, Any]:
    settings = settings if isinstance(settings, dict) else {}
    return {name: settings[name] for name in names if settings.get(name) not in (None, {}, [])}
