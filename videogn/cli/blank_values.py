"""Values that are no names: empty ones, as a shell makes of "$OUT" where OUT is not set, and those with a NUL byte.

An empty path would otherwise be the working directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def check_text(name: str, value: Any) -> None:
    """Refuse text that is no name of a file, or of anything else.

    Args:
        name: Option as it is typed.
        value: Its value; of several values, each is checked, and what is no text is not.

    Raises:
        ValueError: It is empty, or has a NUL byte.
    """
    for text in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(text, str):
            continue
        if not text.strip():
            raise ValueError(f"{name} must not be empty, got {text!r}; is a variable of the shell not set?")
        if "\0" in text:
            raise ValueError(f"{name} must be without NUL bytes, got {text!r}")


def check_texts(config: Mapping[str, Any]) -> None:
    """Refuse such values of fit, validate and test, from the command line or a configuration.

    Options of classes (loggers, callbacks) are theirs: the name of a logger may be empty.

    Args:
        config: Options as parsed; those of model and data are mappings of their own.

    Raises:
        ValueError: A value is refused; the message names the option.
    """
    for name, value in _own(config):
        check_text(f"--{name}", value)
    if vars(config["data"]).get("class_names") == []:
        raise ValueError("--data.class_names must name the classes, got []; null takes those of the data")


def _own(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, config.get(name)) for name in ("ckpt_path", "engine_file"))
    for group in ("model", "data", "checkpoint"):
        yield from ((f"{group}.{name}", value) for name, value in vars(config.get(group)).items())
    yield "trainer.default_root_dir", vars(config.get("trainer")).get("default_root_dir")
