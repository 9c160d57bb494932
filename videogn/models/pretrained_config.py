"""config.json of a folder in the Hugging Face layout: what the network is, what it sees, how it is tested.

A folder may come from anyone, so every value's type and range is checked before it is used. Nothing in it is imported
or called here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from videogn.checks import shown
from videogn.choices import CropsName, EvaluationViews, ProtocolName
from videogn.models.checkpoint_file import nearby_checkpoint
from videogn.models.stated_values import (
    MAX_CLASSES,
    MAX_LETTERS,
    MAX_PER_FORWARD,
    choice,
    count,
    has_controls,
    network_name,
    options,
    rate,
    triple,
    truth,
)

CONFIG = "config.json"
#: `model_type` of our folders.
MODEL_TYPE = "videogn"
#: Size from which on a file means harm.
_MAX_BYTES = 64 << 20
_COUNTS = ("clip_length", "interval", "crop_size", "short_side", "num_clips")
_CHOICES = {"protocol": ProtocolName, "crops": CropsName}


@dataclass(frozen=True)
class PretrainedConfig:
    """What a config.json says.

    Attributes:
        arch: Name of the network.
        norm: Name of its norm.
        norm_options: Options of the norm, or None.
        arch_options: Further arguments of the network's builder, or None.
        class_names: Names of the classes in order.
        views: Input, with mean and std, and test protocol.
        clips_per_forward: Number of views that go through the network at once.
    """

    arch: str
    norm: str
    norm_options: dict[str, Any] | None
    arch_options: dict[str, Any] | None
    class_names: tuple[str, ...]
    views: EvaluationViews
    clips_per_forward: int


def config_entries(config: PretrainedConfig) -> dict[str, Any]:
    """Lay a configuration out as config.json has it, plain values only."""
    names = config.class_names
    return {
        "model_type": MODEL_TYPE,
        "arch": config.arch,
        "arch_options": config.arch_options,
        "norm": config.norm,
        "norm_options": config.norm_options,
        **asdict(config.views),
        "clips_per_forward": config.clips_per_forward,
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }


def read_config(folder: Path) -> PretrainedConfig:
    """Read and check the config.json of a folder.

    Args:
        folder: The folder.

    Returns:
        What it says.

    Raises:
        ValueError: There is none, it is that of another library, or a value in it is wrong. The message names the file
            and the value.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(
            f"{folder} is a folder without {CONFIG}, so it holds no network in the Hugging Face layout"
            f"{nearby_checkpoint(folder)}"
        )
    try:
        return checked(_json(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def checked(entries: Mapping[str, Any]) -> PretrainedConfig:
    """Check the entries of a config.json, one by one.

    Args:
        entries: Content of the file. Entries that are not known, such as those that others add, are passed over.

    Returns:
        What they say.

    Raises:
        ValueError: An entry is missing or wrong.
    """
    kind = entries.get("model_type")
    if kind != MODEL_TYPE:
        of = f"model_type is {shown(kind)}: this is a network of another library" if kind else "it has no model_type"
        raise ValueError(f"{of}; videogn loads folders that it wrote itself (model_type {MODEL_TYPE!r})")
    counts: dict[str, Any] = {name: count(name, _entry(entries, name)) for name in _COUNTS}
    choices = {name: choice(name, _entry(entries, name), get_args(kind)) for name, kind in _CHOICES.items()}
    views = EvaluationViews(
        **counts,
        **choices,
        mean=triple("mean", _entry(entries, "mean"), least=-1000.0),
        std=triple("std", _entry(entries, "std"), least=1e-6),
        fps=rate("fps", entries.get("fps")),
        antialias=truth("antialias", _entry(entries, "antialias")),
    )
    return PretrainedConfig(
        network_name("arch", _entry(entries, "arch")),
        network_name("norm", _entry(entries, "norm")),
        options("norm_options", entries.get("norm_options")),
        options("arch_options", entries.get("arch_options")),
        _classes(_entry(entries, "id2label"), entries.get("label2id")),
        views,
        count("clips_per_forward", _entry(entries, "clips_per_forward"), MAX_PER_FORWARD),
    )


def _json(path: Path) -> Mapping[str, Any]:
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise ValueError(f"a configuration of {size} bytes is too large, at most {_MAX_BYTES} are read")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON file in UTF-8 ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise ValueError(f"must hold a JSON object, got {type(content).__name__}")
    return content


def _entry(entries: Mapping[str, Any], name: str) -> Any:
    if name not in entries:
        raise ValueError(f"has no {name}")
    return entries[name]


def _classes(id2label: Any, label2id: Any) -> tuple[str, ...]:
    if not isinstance(id2label, Mapping) or not 1 <= len(id2label) <= MAX_CLASSES:
        raise ValueError(f"id2label must be an object of 1 to {MAX_CLASSES} class names, got {shown(id2label)}")
    names = []
    for number in range(len(id2label)):
        if str(number) not in id2label:
            raise ValueError(f'id2label must have the keys "0" to "{len(id2label) - 1}", "{number}" is missing')
        names.append(_class_name(number, id2label[str(number)]))
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise ValueError(f"id2label has the class {shown(twice)} twice")
    if label2id is not None and label2id != {name: number for number, name in enumerate(names)}:
        raise ValueError("label2id is not the inverse of id2label")
    return tuple(names)


def _class_name(number: int, name: Any) -> str:
    """A class name of a checkpoint may be anything printable; control characters would act on a terminal."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_LETTERS or has_controls(name):
        raise ValueError(f'id2label["{number}"] must be a class name, got {shown(name)}')
    return name
