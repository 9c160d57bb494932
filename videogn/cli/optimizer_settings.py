"""Whose learning rate and weight decay an optimiser of the command line takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from jsonargparse import Namespace

_log = logging.getLogger(__name__)

_CONFIG = ("-c", "--config")
#: Settings of the model that an optimiser has defaults of its own for.
_ITS_OWN = ("lr", "weight_decay")
#: Those that scale a learning rate with the batch: who gives one means the optimiser's own rate, too.
_SCALING = ("base_batch", "scaling")


def settle_optimizer(model: Namespace, given: Namespace, of_files: Namespace, typed: Sequence[str]) -> None:
    """Decide between the settings of an optimiser and those of the model.

    An option of the optimiser itself wins. The rate and the weight decay in a configuration are meant for its own
    optimiser; another one that is typed takes its own, unless they are typed too. A rate that nobody has given is for
    no particular batch and is not scaled, unless a rule of scaling is given.

    Args:
        model: All settings of the model, changed in place.
        given: The settings that the user has given, on the command line and in configurations.
        of_files: Those of the configurations alone.
        typed: The words of the command line.
    """
    if model.optimizer is None:
        return
    names = {word.partition("=")[0] for word in typed}
    own_files = _optimizer(given) == _optimizer(of_files)

    def meant(name: str) -> bool:
        """Whether the user has given a setting of the model for this optimiser."""
        return f"--model.{name}" in names or (own_files and of_files.get(f"model.{name}") is not None)

    its_own = [name for name in _ITS_OWN if f"model.optimizer.init_args.{name}" in given]
    foreign = [name for name in _ITS_OWN if name not in its_own and model[name] is not None and not meant(name)]
    if foreign:
        _log.info(
            "%s of the configuration: not for %s, which takes its own; type --model.%s to set it",
            " and ".join(f"{name} {model[name]:g}" for name in foreign),
            *(model.optimizer.class_path.rpartition(".")[2], foreign[0]),
        )
    for name in (*its_own, *foreign):
        model[name] = None
    if model.lr is None and "lr" not in its_own and not any(meant(name) for name in _SCALING):
        model.base_batch = None


def words_of_configs(words: Sequence[str]) -> list[str]:
    """Return the part of a command line that names configurations."""
    return list(_configs(words))


def _configs(words: Sequence[str]) -> Iterator[str]:
    for previous, word in zip(["", *words], words, strict=False):
        if previous in _CONFIG or word.partition("=")[0] in _CONFIG:
            yield word


def _optimizer(settings: Namespace) -> str | None:
    return settings.get("model.optimizer.class_path")
