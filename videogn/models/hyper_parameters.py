"""Hyper-parameters of a checkpoint: those that `videogn fit` writes, of the types and in the ranges that it writes.

Nothing else is taken from a file: it may hold any name, such as that of an argument which would read another file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

from videogn.checks import shown
from videogn.choices import CropsName, ScalingName, ScheduleName, check_rate
from videogn.models.stated_values import (
    MAX_LETTERS,
    MAX_PER_FORWARD,
    choice,
    class_names,
    count,
    network_name,
    number,
    options,
    rate,
    triple,
    truth,
)

#: Those that every checkpoint has.
REQUIRED = ("arch", "norm", "class_names", "mean", "std")
#: Those that the first versions did not write -> what they did.
_EARLIER = {"crops": "full", "clips_per_forward": 10}

_Check = Callable[[str, Any], Any]


def checked_hyper_parameters(stated: Mapping[Any, Any]) -> dict[str, Any]:
    """Take from a checkpoint's hyper-parameters what a training run writes.

    Args:
        stated: What the file states.

    Returns:
        The known ones, checked. Others are left out: nothing of ours writes them.

    Raises:
        ValueError: One is missing, or has a value that no training run has.
    """
    missing = [name for name in REQUIRED if name not in stated]
    if missing:
        raise ValueError(f"it says nothing about the network ({missing[0]} is missing)")
    known = {**_EARLIER, **{name: stated[name] for name in HYPER_PARAMETERS if name in stated}}
    return {name: HYPER_PARAMETERS[name](name, value) for name, value in known.items()}


def _rate_in_range(name: str, value: Any) -> float | None:
    check_rate(name, rate(name, value))
    return value


def _or_none(check: _Check) -> _Check:
    return lambda name, value: None if value is None else check(name, value)


def _nothing(name: str, value: Any) -> None:
    """An optimiser or a scheduler is code, which no checkpoint brings along."""
    if value is not None:
        raise ValueError(f"{name} must be null, got {shown(value)}")


def _numbers(name: str, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be a list of numbers, got {shown(value)}")
    return type(value)(number(name, each) for each in value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_LETTERS:
        raise ValueError(f"{name} must be a text of at most {MAX_LETTERS} letters, got {shown(value)}")
    return value


def _by_name(check: _Check, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must hold a value for each name, got {shown(value)}")
    return {_text(name, key): check(name, each) for key, each in value.items()}


def _parts(name: str, value: Any) -> Any:
    return [_text(name, each) for each in value] if isinstance(value, list | tuple) else _text(name, value)


def _class_weights(name: str, value: Any) -> Any:
    """Numbers; a text would be the path of a file, which a training run has read already."""
    if value == "balanced":
        return value
    return _by_name(number, name, value) if isinstance(value, Mapping) else _numbers(name, value)


_NETWORK: dict[str, _Check] = {
    "arch": network_name,
    "norm": network_name,
    "norm_options": options,
    "arch_options": options,
    "class_names": class_names,
    "several_labels": truth,
    "crops": partial(choice, valid=get_args(CropsName)),
    "clips_per_forward": partial(count, most=MAX_PER_FORWARD),
    **dict.fromkeys(("clip_length", "interval", "crop_size", "short_side"), count),
    "mean": partial(triple, least=-1000.0),
    "std": partial(triple, least=1e-6),
    "fps": _rate_in_range,
    "antialias": truth,
}
#: How the run was trained, which only who goes on with it in Python asks for.
_TRAINING: dict[str, _Check] = {
    **dict.fromkeys(("mixup", "cutmix", "color_jitter", "random_erasing", "label_smoothing", "focal_gamma"), number),
    **dict.fromkeys(("momentum", "layer_decay", "lr_gamma", "warmup", "warmup_epochs"), number),
    **dict.fromkeys(("lr", "weight_decay", "ema", "adaptive_clip"), _or_none(number)),
    **dict.fromkeys(("base_batch", "early_stopping"), _or_none(partial(count, most=10**9))),
    **dict.fromkeys(("optimizer", "scheduler"), _nothing),
    "rand_augment": _or_none(partial(count, least=0)),
    "rand_augment_ops": count,
    "pad_crop": partial(count, least=0),
    "class_weights": _or_none(_class_weights),
    "freeze": _or_none(_parts),
    "unfreeze_epochs": _or_none(partial(_by_name, partial(count, most=10**9))),
    "scaling": partial(choice, valid=get_args(ScalingName)),
    "schedule": partial(choice, valid=get_args(ScheduleName)),
    "milestones": _numbers,
}
#: Hyper-parameter -> its check: value of the file -> value, or ValueError.
HYPER_PARAMETERS = {**_NETWORK, **_TRAINING}
