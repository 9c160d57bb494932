"""What a file may name: code is imported for a name in it only if it is among the known classes, or the user says so.

A name that is typed is the user's own word. A configuration, a grid or a checkpoint may come from somebody else: a
norm, a callback or a function that it names is code that would run. Checkpoints may name nothing from outside;
configurations may name the classes of PyTorch and Lightning that their options are about. Everything else needs
`--trust PACKAGE`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Lightning's, under both of its names: the parts of a trainer that options choose between.
_LIGHTNING = [
    *("pytorch.callbacks", "pytorch.loggers", "pytorch.profilers", "pytorch.strategies", "pytorch.plugins"),
    *("pytorch.accelerators", "pytorch.cli.ReduceLROnPlateau", "pytorch.cli.LRSchedulerCallable"),
    *("fabric.accelerators", "fabric.loggers", "fabric.plugins", "fabric.strategies"),
]
#: Modules and classes that a configuration may name. Not whole packages: torch.hub.load and the like run code, too.
KNOWN = (
    *("videogn.models", "videogn.norm", "videogn.training"),
    *("torch.nn", "torch.optim", "torch.distributed.fsdp", "torch.device", "torch.dtype"),
    *("torch.float64", "torch.float32", "torch.float16", "torch.bfloat16"),
    *("torchmetrics", "torchvision.ops", "torchvision.transforms"),
    *(f"lightning.{part}" for part in _LIGHTNING),
    *(f"pytorch_lightning.{part.removeprefix('pytorch.')}" for part in _LIGHTNING if part.startswith("pytorch.")),
    *(f"lightning_fabric.{part.removeprefix('fabric.')}" for part in _LIGHTNING if part.startswith("fabric.")),
)
#: Keys of a configuration whose value is a name to import, if it has a dot.
_NAMING = ("class_path", "arch", "norm", "optimizer", "scheduler")
#: Options of `videogn fit` whose typed value, or a part of it, is such a name.
_NAMING_OPTIONS = re.compile(
    r"--(model\.(arch|norm|optimizer|scheduler)|trainer\.(callbacks|logger|strategy|profiler|plugins|accelerator)\b)"
)
_PATH = r"[^\W\d]\w*(?:[.:][^\W\d]\w*)+"
_DOTTED = re.compile(_PATH)
_PACKAGE = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)*")
_CLASS_PATH = re.compile(rf"class_path['\"]?\s*:\s*['\"]?({_PATH})")
_FRAMEWORKS = {name.partition(".")[0] for name in KNOWN}


def is_dotted(name: str) -> bool:
    """Whether a name is a path to import, `package.module.attribute` or `package.module:attribute`."""
    return "." in name or ":" in name


def is_trusted(name: str, trusted: Iterable[str]) -> bool:
    """Whether a dotted path lies in what is trusted: packages, modules or full paths."""
    path = name.replace(":", ".")
    prefixes = [prefix.replace(":", ".") for prefix in trusted]
    return any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes)


def refusal(source: object, names: Sequence[str]) -> str:
    """Say that a file names code that is not trusted, and what would trust it.

    Args:
        source: The file, or what stands for it.
        names: Dotted paths that are not trusted, at least one.
    """
    own = [name for name in names if re.split("[.:]", name)[0] in sys.stdlib_module_names]
    if own:
        return f"{source} names {own[0]}, a part of Python itself, which no option takes"
    packages = " ".join(dict.fromkeys(map(typed_as, names)))
    return f"{source} names {names[0]}, code that is imported only if you trust it: add --trust {packages}"


def check_trusted(source: str | Path, names: Iterable[str], trusted: Collection[str]) -> None:
    """Refuse dotted paths from a file unless the user trusts their package. Nothing is imported.

    Built-in names and entry points need no trust: the user installed what they stand for.

    Args:
        source: File that the names come from, for the error message.
        names: Names of norms, networks and so on, dotted or not.
        trusted: Packages, modules or full paths that may be imported; `KNOWN` with them for a configuration.

    Raises:
        ValueError: A dotted path lies outside what is trusted.
    """
    if refused := [name for name in filter(is_dotted, names) if not is_trusted(name, trusted)]:
        raise ValueError(refusal(source, refused))


def names_in(content: Any, *, naming: bool = False) -> Iterator[str]:
    """Find the dotted paths that a configuration names where a class, norm or network is expected.

    Args:
        content: Content of a YAML file, or a part of it.
        naming: Whether a text here is such a name.

    Yields:
        Each path as it is written.
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from names_in(value, naming=key in _NAMING or (naming and key == "name"))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from names_in(value, naming=naming)
    elif naming and isinstance(content, str) and is_dotted(content):
        yield content


def trusted_by(words: Sequence[str]) -> tuple[str, ...]:
    """What a command line trusts: the packages of --trust, and the dotted paths that are typed as values of options.

    Args:
        words: Words of the command line of fit, validate or test.

    Returns:
        Packages, modules or full paths.

    Raises:
        ValueError: What follows --trust is no name of a package.

    Example:
        >>> trusted_by(["--model.norm", "mine.norms.RMS", "--config", "its.yaml", "--trust", "a", "b.c", "--x=1"])
        ('mine', 'a', 'b.c')
    """
    return tuple(dict.fromkeys(_trusted_words(words)))


def _trusted_words(words: Sequence[str]) -> Iterator[str]:
    option = ""
    for word in words:
        value: str | None = word
        if word.startswith("--"):
            option, has_value, value = word.partition("=")
            value = value if has_value else None
        if value is None:
            continue
        if option == "--trust":
            if not _PACKAGE.fullmatch(value):
                raise ValueError(f"--trust must be names of packages, such as mine or mine.norms, got {value!r}")
            yield value
        elif _NAMING_OPTIONS.match(option):
            yield from map(typed_as, [value] if _DOTTED.fullmatch(value) else _CLASS_PATH.findall(value))


def typed_as(path: str) -> str:
    """What a dotted path that is typed trusts: its package, since the thing may be defined in another module of it.

    Of PyTorch and the like it is the module, and of Python itself no more than the path.
    """
    package, *parts = re.split("[.:]", path)
    if package in sys.stdlib_module_names or (package in _FRAMEWORKS and len(parts) == 1):
        return path
    return ".".join([package, *parts[:-1]]) if package in _FRAMEWORKS else package
