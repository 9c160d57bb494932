"""Training of a part of the network: what is frozen, and from which epoch on it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import nn

from videogn.models.network_parts import Part, check_trains, find_part, part_names, set_frozen, without_released
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FreezingSettings:
    """What of the network does not train.

    Args:
        freeze: Parts of the network that do not train, one or several: `backbone` (everything but the classifier),
            `head` (the classifier), `norms` (gamma, beta and running statistics), stages (`stem`, `res2` to `res5`), or
            beginnings of the names of modules, such as blocks.0. Modules in them compute as in evaluation.
        unfreeze_epochs: Number of epochs after which parts of what is frozen begin to train, for instance
            {res5: 2, res4: 4}.

    Raises:
        ValueError: If a number of epochs is not positive.
    """

    freeze: list[str] | str | None = None
    unfreeze_epochs: dict[str, int] | None = None

    def __post_init__(self) -> None:
        for part, epoch in (self.unfreeze_epochs or {}).items():
            if epoch < 1:
                raise ValueError(f"unfreeze_epochs must be 1 or more for every part, got {epoch} for {part}")

    @property
    def frozen_parts(self) -> tuple[str, ...]:
        """Names of the parts that are frozen at first."""
        return part_names(self.freeze)


class Freezing(Callback):
    """Freezes parts of a network in a training run, and lets them train after some epochs.

    What is frozen depends on the epoch alone, so that a resumed run needs no state. All parameters that train at some
    time are in the optimiser from the beginning: it leaves those without a gradient alone, momentum and weight decay
    included, and the learning rate of their groups follows the schedule of all.

    `norms` stays frozen until `norms` itself is unfrozen, also within stages that begin to train.

    Args:
        net: Network.
        settings: What does not train.
        num_classes: Number of classes K.
        initial: Whether its weights are random, unless a training run is resumed. Default: False.

    Raises:
        ValueError: There is no such part, a part is unfrozen that is not frozen, or nothing is left to train.
    """

    def __init__(self, net: nn.Module, settings: FreezingSettings, num_classes: int, *, initial: bool = False) -> None:
        self._net = net
        self._initial = initial
        self._frozen = {name: find_part(net, name, num_classes) for name in settings.frozen_parts}
        self._epochs: Mapping[str, int] = settings.unfreeze_epochs or {}
        self._unfrozen = {name: find_part(net, name, num_classes) for name in self._epochs}
        trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
        everything = self._at(0)
        self._ever = Part(everything.parameters & trained, everything.modules)
        self._now = Part()
        for name, part in self._unfrozen.items():
            if not part.parameters & everything.parameters:
                raise ValueError(f"unfreeze_epochs names {name}, which freeze does not freeze")
        if self._frozen:
            check_trains(net, everything)

    @property
    def frozen_modules(self) -> frozenset[str]:
        """Names of the modules of the network that compute as in evaluation at this time."""
        return self._now.modules

    def describe(self) -> str:
        """Say in a few words what is frozen, and until when."""
        later = [f"{name} for {counted(epoch, 'epoch')}" for name, epoch in self._epochs.items()]
        return ", ".join([*(name for name in self._frozen if name not in self._epochs), *later]) or "nothing"

    @contextmanager
    def everything_that_trains(self) -> Iterator[None]:
        """In the block, all parameters need a gradient that train at some time: those that an optimiser takes."""
        set_frozen(self._net, Part(self._at(None).parameters), Part(self._ever.parameters))
        try:
            yield
        finally:
            set_frozen(self._net, Part(self._now.parameters), Part(self._ever.parameters))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze before other processes are told which gradients to expect."""
        if stage != "fit" or not self._frozen:
            return
        strategy = trainer.strategy
        if self._epochs and not isinstance(strategy, DDPStrategy | SingleDeviceStrategy):
            raise ValueError(
                f"unfreeze_epochs needs one device or --trainer.strategy ddp, got {type(strategy).__name__}"
            )
        self._now = self._at(0)
        set_frozen(self._net, Part(self._now.parameters), Part(self._ever.parameters))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on where the checkpoint of a resumed run was written, which may be in the middle of an epoch."""
        self._follow(trainer)
        if not self._frozen or not trainer.is_global_zero:
            return
        _log.info("frozen: %s; %s", self.describe(), self._counts())
        resumed = trainer.ckpt_path is not None  # not known at the setup
        if self._initial and not resumed and self._frozen.keys() - {"head", "norms"}:
            _log.warning("frozen parts keep their random weights: start from trained ones with --model.init_from")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        before = self._now
        self._follow(trainer)
        if before != self._now and trainer.is_global_zero:
            begin = [name for name, epoch in self._epochs.items() if epoch == trainer.current_epoch]
            _log.info("epoch %d: %s trains too; %s", trainer.current_epoch, ", ".join(begin), self._counts())

    def _follow(self, trainer: Trainer) -> None:
        """Freeze what is frozen in this epoch; other processes exchange the gradients of the rest."""
        if not self._frozen:
            return
        before, self._now = self._now, self._at(trainer.current_epoch)
        set_frozen(self._net, self._now, self._ever)
        strategy = trainer.strategy
        if before.parameters != self._now.parameters and isinstance(strategy, DDPStrategy):
            strategy.model = strategy.lightning_module
            strategy.configure_ddp()

    def _at(self, epoch: int | None) -> Part:
        """What is frozen in an epoch; None for what never trains."""
        released = [name for name, first in self._epochs.items() if epoch is None or first <= epoch]
        return without_released(self._frozen, {name: self._unfrozen[name] for name in released})

    def _counts(self) -> str:
        sizes = {name: parameter.numel() for name, parameter in self._net.named_parameters()}
        trained = sum(size for name, size in sizes.items() if name not in self._now.parameters)
        return f"{trained:,} of {sum(sizes.values()):,} parameters train"
