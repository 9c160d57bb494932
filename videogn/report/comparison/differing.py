"""Settings of tests and of training runs that are not the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from videogn.report.comparison.tested import Tested
from videogn.report.document_blocks import DASH

#: Entries of results.json that say how a test was made.
_MADE_BY = ("protocol", "decoder", "videos_from", "model", "training", "checkpoint", "seed", "versions")
#: Those of them that decide what every network is shown: where they differ, it is not the networks alone that do.
_PROTOCOL = ("protocol", "decoder", "videos_from.split", "model.mean", "model.std")
#: Part of the name of an entry that says how long a network was trained.
_LENGTHS = ("steps", "step", "epochs", "epoch")
#: The protocol names these where the results of a network trained otherwise do not.
_TWICE = ("model.clip_length", "model.interval", "model.short_side", "model.fps", "model.antialias", "model.crops")
#: Entries that are only written where they are not so.
_UNLESS_SAID: dict[str, Any] = {"protocol.fps": None, "protocol.antialias": True}


@dataclass(frozen=True)
class Differing:
    """A setting that is not the same everywhere.

    Attributes:
        name: Name with dots, for instance "protocol.clips".
        values: Its value in each test, as text; a dash where the test does not say.
        protocol: Whether it is about how videos were shown to the networks, or for how long these were trained.
    """

    name: str
    values: tuple[str, ...]
    protocol: bool


def differing_settings(tests: Sequence[Tested]) -> list[Differing]:
    """List the settings of tests that differ, those of the protocol first; not the paths of the checkpoints."""
    flat = [
        dict(flattened({name: value for name, value in test.summary.items() if name.startswith(_MADE_BY)}))
        for test in tests
    ]
    found = [
        Differing(name, values, _of_protocol(name))
        for name in dict.fromkeys(name for some in flat for name in some)
        if name not in (*_TWICE, "checkpoint")
        and len(set(values := tuple(as_text(some.get(name, _UNLESS_SAID.get(name, DASH))) for some in flat))) > 1
    ]
    return sorted(found, key=lambda one: not one.protocol)


def flattened(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested settings names with dots; lists are values."""
    for key, value in content.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{name}.")
        else:
            yield name, value


def as_text(value: Any) -> str:
    """Write a setting's value as one would type it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _of_protocol(name: str) -> bool:
    parts = name.split(".")
    trained = parts[0] in ("checkpoint", "training") and _ends_with(parts[-1], _LENGTHS)
    return trained or any(name == entry or name.startswith(f"{entry}.") for entry in _PROTOCOL)


def _ends_with(word: str, endings: Iterable[str]) -> bool:
    return any(word == ending or word.endswith(f"_{ending}") for ending in endings)
