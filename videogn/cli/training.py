"""fit, validate and test: the Lightning CLI over VideoClassifier and VideoDataModule."""

from __future__ import annotations

import inspect
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from videogn.cli.parsing import OneLineErrors
from videogn.data.datamodule import VideoDataModule
from videogn.models import MODELS
from videogn.models.weights import read_checkpoint
from videogn.system.leash import hold_on
from videogn.training.callbacks import EffectiveBatch, TrainingCost
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.failure_policy import FailurePolicy
from videogn.training.task import CONTRACT, VideoClassifier

#: What the data must know of the model's input: set on the model, since a checkpoint carries it.
_SHARED = ("clip_length", "interval", "crop_size", "short_side", "crops")


class _Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line."""


class _SaveConfigOfFit(SaveConfigCallback):
    """Saves the configuration of a training only: a test in the same folder must not overwrite it."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if stage == "fit":
            super().setup(trainer, pl_module, stage)


class VideoCLI(LightningCLI):
    """The Lightning CLI with videogn's links and with checkpoints that decide what the network is."""

    def __init__(self) -> None:
        super().__init__(
            VideoClassifier,
            VideoDataModule,
            parser_class=_Parser,
            save_config_callback=_SaveConfigOfFit,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": [EffectiveBatch(), TrainingCost()]},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            # Plain hyper-parameters: a checkpoint loads without the class path of whoever wrote it.
            load_from_checkpoint_support=False,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """fit, validate and test; predict is a command of its own, for files."""
        commands = LightningCLI.subcommands()
        return {name: commands[name] for name in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Checkpoints by default, and what model and data share said once."""
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "{epoch}",
                "checkpoint.save_last": True,
                "checkpoint.save_on_exception": True,
                "trainer.default_root_dir": "runs",
            }
        )
        for name in _SHARED:
            parser.link_arguments(f"model.{name}", f"data.{name}")
        parser.link_arguments("data.class_names", "model.class_names", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """metrics.csv in runs/version_0 and so on, unless another logger is asked for."""
        trainer = self.config[self.config.subcommand].trainer
        if trainer.logger is None or trainer.logger is True:  # Lightning would take whichever is installed
            trainer.logger = Namespace(
                class_path="lightning.pytorch.loggers.CSVLogger",
                init_args=Namespace(save_dir=trainer.default_root_dir, name="", version=None, prefix=""),
            )

    def _parse_ckpt_path(self) -> None:
        """Take what the network is from the checkpoint, and refuse a command line that says otherwise.

        Lightning would override the command line silently.
        """
        command = self.config.subcommand
        config = self.config[command]
        if config.ckpt_path == "last":
            config.ckpt_path = _newest_checkpoint(Path(config["trainer.default_root_dir"]))
            if config.ckpt_path is None and command != "fit":
                raise ValueError(
                    f"no checkpoints/last.ckpt in {config['trainer.default_root_dir']}: nothing to {command}"
                )
        if config.ckpt_path is None:
            if command != "fit" and config["model.init_from"] is None:
                raise ValueError(f"nothing to {command}: name a checkpoint with --ckpt_path")
            return
        if config.ckpt_path in ("best", "hpc", "registry"):
            return
        self._adopt(config, _hyper_parameters(config.ckpt_path), _given_names(sys.argv[2:]))

    def _adopt(self, config: Namespace, hparams: dict[str, Any], given: set[str]) -> None:
        path = config.ckpt_path
        wanted = {f"model.{name}": hparams[name] for name in CONTRACT if name in hparams}
        wanted["data.class_names"] = hparams["class_names"]
        for key, value in wanted.items():
            # A saved configuration spells out what was left open: null asks for nothing.
            asked, made = _plain(config[key]), _plain(value)
            if key == "model.arch_options":
                # How much memory a training takes is up to it.
                value = {**(value or {}), **{k: v for k, v in (asked or {}).items() if k == "memory_mode"}} or None
                asked, made = (_architecture(hparams["arch"], options) for options in (asked, made))
            if key in given and config[key] is not None and asked != made:
                raise ValueError(
                    f"{key} is {config[key]}, but {path} was trained with {value}; "
                    "leave it out, or start from its weights with --model.init_from"
                )
            config[key] = value
        # A network may well be tested on other crops than it was made for.
        if "model.crops" not in given:
            config["model.crops"] = hparams["crops"]
        for name in _SHARED:
            config[f"data.{name}"] = config[f"model.{name}"]
        config["model.init_from"] = None  # it may be gone, and the checkpoint has all weights


def run(command: str, argv: Sequence[str]) -> int:
    """Run fit, validate or test.

    Args:
        command: its name.
        argv: its arguments; they have to be those of the process, because distributed training starts it again.

    Returns:
        0, or 1 where a validation or test lost more videos than --data.max_failures; its results are written.
    """
    hold_on()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Without torchdata Lightning does not see that ours goes on where it stopped.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda line: "Tip:" not in line.getMessage())
    torch.set_float32_matmul_precision("high")
    sys.argv = [sys.argv[0], command, *argv]
    callbacks: list[Any] = VideoCLI().trainer.callbacks  # type: ignore[attr-defined]
    return int(any(isinstance(callback, FailurePolicy) and callback.exceeded for callback in callbacks))


def _hyper_parameters(path: str) -> dict[str, Any]:
    content = read_checkpoint(path)
    if not isinstance(content, dict) or "hyper_parameters" not in content:
        raise ValueError(f"{path} is not a checkpoint of `videogn fit`: it says nothing about the network")
    return dict(content["hyper_parameters"])


def _newest_checkpoint(root: Path) -> str | None:
    # Of runs in folders of their own, or in this one; a second run in the same folder writes last-v1.ckpt.
    files = [path for folder in ("*/checkpoints", "checkpoints") for path in root.glob(f"{folder}/last*.ckpt")]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    return str(found[-1]) if found else None


def _given_names(argv: Sequence[str]) -> set[str]:
    """Which arguments of the model and the data a command line and its configuration files set.

    The parsed configuration does not tell: it holds the defaults too.
    """
    given = set()
    for argument, following in zip(argv, [*argv[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if name in ("--model", "--data"):
            raise ValueError(f"with --ckpt_path, give the options of {name} one by one, as {name}.OPTION")
        if found := re.match(r"--((?:model|data)\.\w+)", name):
            given.add(found[1])
        if name in ("-c", "--config"):
            content = yaml.safe_load(Path(value or following).expanduser().read_text(encoding="utf-8")) or {}
            for section in ("model", "data"):
                given |= {f"{section}.{key}" for key in content.get(section) or {}}
    return given


def _architecture(arch: str, options: dict[str, Any] | None) -> dict[str, Any]:
    """All options of an architecture but dropout and memory mode, which are no part of what was trained."""
    parameters = inspect.signature(MODELS[arch]).parameters.values()
    defaults = {parameter.name: _plain(parameter.default) for parameter in parameters}
    return {**defaults, **(options or {}), "dropout": None, "memory_mode": None}


def _plain(value: Any) -> Any:
    """Tuples and lists, namespaces and dicts compare equal."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "as_dict"):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
