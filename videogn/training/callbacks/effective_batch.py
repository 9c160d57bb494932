"""First lines of every training run: network and data, sizes of classes, clips per norm and per step, learning rate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, Trainer

from videogn.data.inspection import about_class_sizes
from videogn.data.video_index import VideoIndex
from videogn.norm import make_norm
from videogn.norm.precise_statistics import clips_of_statistics
from videogn.system.sizes import counted
from videogn.training.callbacks.batches import updating_layers

_log = logging.getLogger(__name__)


class EffectiveBatch(Callback):
    """Logs the network and the data of a training run, the clips per normalisation batch and per step, and the rate.

    For instance `effective batch: 4 clips a normalisation batch, 32 an optimiser step (4 clips x 2 devices x 4
    accumulated), lr 0.005`, on two lines. A warning follows if the two batches differ for another reason than the
    number of devices, which is how the published runs do it: gradients accumulated, or statistics synchronised.
    """

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if stage != "fit" or not trainer.is_global_zero or data is None:
            return
        hparams, device = pl_module.hparams, trainer.strategy.root_device.type
        parameters = sum(p.numel() for p in pl_module.net.parameters())
        _log.info(
            "%s with %s, %s parameters; %s, %s; on %s",
            *(hparams["arch"], hparams["norm"], f"{parameters:,}", _about_input(hparams, data)),
            counted(len(pl_module.class_names), "class"),
            f"{trainer.world_size} x {device}" if trainer.world_size > 1 else device,
        )
        _log.info("%s", _about_videos(data.splits))

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        loader: Any = trainer.train_dataloader
        clips = int(loader.clips)
        devices = trainer.world_size
        accumulated = trainer.accumulate_grad_batches
        step = clips * devices * accumulated
        layers = updating_layers(pl_module).values()
        synchronised = devices > 1 and any(_synchronises(layer) for layer in layers)
        seen = clips_of_statistics(layers, clips) * (devices if synchronised else 1)
        _log.info(
            "effective batch: %s a normalisation batch, %d an optimiser step\n  (%s x %s x %d accumulated), %s",
            *(counted(seen, "clip"), step, counted(clips, "clip"), counted(devices, "device"), accumulated),
            _learning_rate(trainer),
        )
        if synchronised:
            _log.warning(
                "statistics are of %d x %d clips: they are synchronised over the devices, unlike those of a run on as "
                "many devices without it",
                *(devices, clips),
            )
        if layers and step != seen * (1 if synchronised else devices):
            _log.warning(
                "statistics are of %s, steps of %d: compare with a run whose statistics are of %s too, "
                "whatever its steps",
                *(counted(seen, "clip"), step, counted(seen, "clip")),
            )
        _warn_of_left_out(pl_module)
        if trainer.precision == "16-mixed" and any(getattr(layer, "keeps_gradients", False) for layer in layers):
            _log.warning(
                "norm %s adds up gradients of several batches, and precision 16-mixed scales the loss of each: take "
                "bf16-mixed or 32-true",
                pl_module.hparams["norm"],
            )
        if any(_stores_nothing(module) for module in pl_module.net.modules()):
            _log.warning("the stored statistics are mean 0, variance 1: frozen_bn is meant for weights that bring some")


def _about_input(hparams: Mapping[str, Any], data: Any) -> str:
    """What the network sees: `clips of 32 x 2`, or `images of 224 x 224`."""
    if data.splits["train"].example == "image":
        return "images of {0} x {0}".format(hparams["crop_size"])
    rate = f" at {data.views.fps:g} frames per second" if data.views.fps else ""
    return f"clips of {hparams['clip_length']} x {hparams['interval']}{rate}"


def _about_videos(splits: Mapping[str, VideoIndex]) -> str:
    """Count the videos: `105 train videos, 7 (s30) to 14 (s5) a class, 2.0 times as many; 45 val videos`."""
    shown = [(split, splits[split]) for split in ("train", "val") if split in splits]
    counts = [counted(len(index), f"{split} {index.example}") for split, index in shown]
    sizes = about_class_sizes(splits["train"])
    return "; ".join([f"{counts[0]}, {sizes}" if sizes else counts[0], *counts[1:]])


def _warn_of_left_out(pl_module: Any) -> None:
    """A builder from outside may make the norm's layers alone; the norm would then do less than its name says."""
    hparams = pl_module.hparams
    norm = make_norm(hparams["norm"], **(hparams["norm_options"] or {}))
    if lacking := norm.left_out_of(pl_module.net):
        _log.warning(
            "norm %s goes with more than its layers, which %s leaves out: build it with %s too",
            *(norm.name, hparams["arch"], " and ".join(lacking)),
        )


def _stores_nothing(module: Any) -> bool:
    """Whether a layer uses stored statistics that are still initial: it has them, but no momentum to update them."""
    mean, var = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    if mean is None or var is None or hasattr(module, "momentum"):
        return False
    return bool((mean == 0).all()) and bool((var == 1).all())


def _synchronises(layer: Any) -> bool:
    # Only torch's synchronised layer has a process group; it comes from the norm or from --trainer.sync_batchnorm.
    return any(hasattr(module, "process_group") for module in layer.modules())


def _learning_rate(trainer: Trainer) -> str:
    """Format the rate that the schedule starts from, and the rate of the next step if it differs."""
    group = trainer.optimizers[0].param_groups[0]
    start = float(group.get("initial_lr", group["lr"]))
    now = float(group["lr"])
    return f"lr {start:g}" if now == start else f"lr {start:g} ({now:.3g} at this step)"
