"""config.json of a folder in the Hugging Face layout: what the network is, what it sees, how it is tested.

A folder may come from anyone, so every value's type and range is checked before it is used. Nothing in it is imported
or called here.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from videogn.checks import check_choice
from videogn.choices import CropsName, EvaluationViews, ProtocolName

CONFIG = "config.json"
#: `model_type` of our folders.
MODEL_TYPE = "videogn"
#: Largest values that are taken: beyond them a file means harm, or nothing.
_MAX_BYTES = 64 << 20
_MAX_CLASSES = 100_000
_MAX_LETTERS = 1_000
_MAX_OPTION = 1_000_000
_MAX_DEPTH = 4
_COUNTS = {
    "clip_length": 10_000,
    "interval": 10_000,
    "crop_size": 10_000,
    "short_side": 10_000,
    "num_clips": 10_000,
    "clips_per_forward": 10_000,
}
_CHOICES = {"protocol": ProtocolName, "crops": CropsName}
#: A name of ours, of an entry point or a dotted path; never a path of files.
_ARCH_OR_NORM = re.compile(r"[\w.:+-]{1,200}")


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
        last = folder / "checkpoints" / "last.ckpt"
        hint = f"; did you mean {last}?" if last.is_file() else ", so it holds no network in the Hugging Face layout"
        raise ValueError(f"{folder} has no {CONFIG}{hint}")
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
        of = f"model_type is {_shown(kind)}: this is a network of another library" if kind else "it has no model_type"
        raise ValueError(f"{of}; videogn loads folders that it wrote itself (model_type {MODEL_TYPE!r})")
    counts: dict[str, Any] = {name: _count(name, _entry(entries, name), most) for name, most in _COUNTS.items()}
    per_forward = counts.pop("clips_per_forward")
    choices = {name: _choice(name, _entry(entries, name), get_args(kind)) for name, kind in _CHOICES.items()}
    views = EvaluationViews(
        **counts,
        **choices,
        mean=_triple("mean", _entry(entries, "mean"), least=-1000.0),
        std=_triple("std", _entry(entries, "std"), least=1e-6),
        fps=_rate(entries.get("fps")),
        antialias=_truth("antialias", _entry(entries, "antialias")),
    )
    return PretrainedConfig(
        _name("arch", _entry(entries, "arch")),
        _name("norm", _entry(entries, "norm")),
        _options("norm_options", entries.get("norm_options")),
        _options("arch_options", entries.get("arch_options")),
        _classes(_entry(entries, "id2label"), entries.get("label2id")),
        views,
        per_forward,
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


def _shown(value: Any) -> str:
    """A value for a message, however long it is."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _count(name: str, value: Any, most: int) -> int:
    if not _is_whole(value) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, got {_shown(value)}")
    return int(value)


def _choice(name: str, value: Any, valid: tuple[str, ...]) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be one of {', '.join(valid)}, got {_shown(value)}")
    check_choice(name, value[:_MAX_LETTERS], valid)
    return value


def _triple(name: str, value: Any, *, least: float) -> tuple[float, float, float]:
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 3 or not all(_is_number(number) and least <= number <= 1000 for number in numbers):
        raise ValueError(f"{name} must hold three numbers, of red, green and blue, got {_shown(value)}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _rate(value: Any) -> float | None:
    if value is not None and not _is_number(value):
        raise ValueError(f"fps must be a number of frames per second or null, got {_shown(value)}")
    return None if value is None else value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {_shown(value)}")
    return value


def _name(kind: str, value: Any) -> str:
    if not isinstance(value, str) or not _ARCH_OR_NORM.fullmatch(value):
        raise ValueError(f"{kind} must be a name, such as 'i3d_r50' or 'gn', got {_shown(value)}")
    return value


def _options(name: str, value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key.isidentifier() for key in value):
        raise ValueError(f"{name} must be null or an object of options by name, got {_shown(value)}")
    return {key: _plain(f"{name}.{key}", option, _MAX_DEPTH) for key, option in value.items()}


def _plain(name: str, value: Any, depth: int) -> Any:
    """Check an option: what it means only the network or norm knows, which refuses the wrong ones itself."""
    if value is None or isinstance(value, bool) or (_is_number(value) and abs(value) <= _MAX_OPTION):
        return value
    if isinstance(value, str) and len(value) <= _MAX_LETTERS:
        return value
    if isinstance(value, list | tuple) and depth and len(value) <= _MAX_LETTERS:
        return [_plain(name, item, depth - 1) for item in value]
    raise ValueError(f"{name} must be a plain value of moderate size, got {_shown(value)}")


def _classes(id2label: Any, label2id: Any) -> tuple[str, ...]:
    if not isinstance(id2label, Mapping) or not 1 <= len(id2label) <= _MAX_CLASSES:
        raise ValueError(f"id2label must be an object of 1 to {_MAX_CLASSES} class names, got {_shown(id2label)}")
    names = []
    for number in range(len(id2label)):
        if str(number) not in id2label:
            raise ValueError(f'id2label must have the keys "0" to "{len(id2label) - 1}", "{number}" is missing')
        names.append(_class_name(number, id2label[str(number)]))
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"id2label has the class {_shown(twice)} twice")
    if label2id is not None and label2id != {name: number for number, name in enumerate(names)}:
        raise ValueError("label2id is not the inverse of id2label")
    return tuple(names)


def _class_name(number: int, name: Any) -> str:
    """A class name of a checkpoint may be anything printable; control characters would act on a terminal."""
    controls = isinstance(name, str) and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_LETTERS or controls:
        raise ValueError(f'id2label["{number}"] must be a class name, got {_shown(name)}')
    return name
