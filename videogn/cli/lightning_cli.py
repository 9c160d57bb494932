"""Lightning's command line over VideoClassifier and VideoDataModule, for fit, validate and test."""

from __future__ import annotations

import copy
import inspect
import logging
import sys
import warnings
from argparse import Action, _ArgumentGroup
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from videogn.checks import check_choice
from videogn.cli.parsing import OneLineErrors
from videogn.cli.training_bar import OneLineBar
from videogn.data.datamodule import VideoDataModule
from videogn.extensions import find
from videogn.models import MODELS
from videogn.models.fit_checkpoint import read_fit_checkpoint
from videogn.system.configurations import shipped
from videogn.training.callbacks import EffectiveBatch, FeaturePercentiles, TrainingCost
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.failure_policy import FailurePolicy
from videogn.training.task import CONTRACT, INPUT, VideoClassifier

_log = logging.getLogger(__name__)

#: Options that model and data module share, for checkpoints to hold them: the one that is given -> its follower.
_LINKS = {f"model.{name}": f"data.{name}" for name in (*INPUT, "crops") if name != "fps"} | {"data.fps": "model.fps"}
#: Beginnings of Lightning's lines that say nothing about the run, or that ours say too.
_NOISE = (
    "Tip:",
    "💡",
    "Seed set to",
    "GPU available",
    "TPU available",
    "HPU available",
    "LOCAL_RANK",
    "`Trainer.fit` stopped",
)
#: Lightning's warnings without consequence here: our loader resumes by itself, and a small data set has few batches.
#: The training loss in the log is that of one process.
_IGNORED = (
    ".*your dataloader is not resumable.*",
    ".*smaller than the logging interval.*",
    ".*`self.log.'train/loss', ..., sync_dist=True.`.*",
)
#: Sections of the help and their titles.
_SECTIONS = {
    "run": "Run",
    "model": "Model: network, input, optimisation",
    "data": "Data: videos, loading, test protocol",
    "checkpoint": "Checkpoints",
    "trainer": "Trainer",
}
#: Of options that Lightning describes at length: those of the short help, in few words.
_SHORT = {
    "help": "Show this help; --help=SECTION shows all options of run, model, data, checkpoint or trainer.",
    "config": "Configuration: a YAML file or the name of one that ships. May be repeated; the later one wins.",
    "print_config": "Print the complete configuration and exit.",
    "seed_everything": "Seed of all random numbers.",
    "trust": "Packages that may be imported where a checkpoint names a norm or network from outside videogn.",
    "ckpt_path": "Checkpoint to resume from, or to evaluate; `last` is the newest in trainer.default_root_dir.",
    "checkpoint.minutes": "Minutes between two writes of last.ckpt; 0 writes it with the other checkpoints only.",
    "checkpoint.dirpath": "Folder of the checkpoints. Default: checkpoints in the log folder.",
    "checkpoint.monitor": "Value that decides which checkpoints are best, for instance val/top1.",
    "checkpoint.mode": "Whether the best value is the largest (max) or the smallest (min).",
    "checkpoint.save_top_k": "Number of best checkpoints that are kept.",
    "trainer.max_epochs": "Number of epochs.",
    "trainer.max_steps": "Number of optimiser steps, in place of epochs.",
    "trainer.max_time": "Time limit, for instance 00:08:00:00 (days, hours, minutes, seconds).",
    "trainer.devices": "Number of devices, or a list of their numbers.",
    "trainer.precision": "Number format: 32, bf16-mixed or 16-mixed.",
    "trainer.accumulate_grad_batches": "Number of batches per optimiser step.",
    "trainer.check_val_every_n_epoch": "Number of epochs between validations.",
    "trainer.default_root_dir": "Folder of the logs and checkpoints.",
}
_EPILOG = (
    "--help=trainer lists all options of Lightning's Trainer (loggers, callbacks, ...), --help=all everything. "
    "Configurations that ship: {names}."
)


class _Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line, and help that begins with the model and the data.

    Args:
        help_section: Section of the help: a key of _SECTIONS, "all", or "" for the short help. Without it: Lightning's.
        **options: Options of Lightning's parser.
    """

    def __init__(self, *args: Any, help_section: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._help_section = help_section

    def format_help(self, *args: Any) -> str:
        """Format the help of one section, of all, or the short one."""
        if self._help_section is None:
            return super().format_help(*args)
        command = str(self.prog).split()[-1]
        self.usage = f"videogn {command} [--config CONFIG ...] [--data.root FOLDER] [--SECTION.OPTION VALUE ...]"
        self.epilog = _EPILOG.format(names=", ".join(shipped()))
        everything: Any = self._action_groups  # jsonargparse narrows the type
        self._action_groups = _help_groups(everything, self._help_section)
        try:
            return super().format_help(*args)
        finally:
            self._action_groups = everything


def _help_groups(groups: list[_ArgumentGroup], wanted: str) -> list[Any]:
    """Sort the options of a help into sections; the short help leaves out what Lightning describes and few need."""
    actions = [action for group in groups if group.title != "Linked arguments" for action in group._group_actions]
    found = []
    for section, title in _SECTIONS.items():
        if wanted in ("", "all", section):
            group = copy.copy(groups[0])
            group.title, group.description = title, None
            group._group_actions = [action for action in actions if _section(action) == section]
            if wanted == "" and section not in ("model", "data"):
                group._group_actions = [_in_few_words(each) for each in group._group_actions if each.dest in _SHORT]
            found.append(group)
    return found


def _section(action: Action) -> str:
    return first if (first := action.dest.partition(".")[0]) in _SECTIONS else "run"


def _in_few_words(action: Action) -> Action:
    action = copy.copy(action)
    action.help = _SHORT[action.dest]
    return action


class _SaveConfigOfFit(SaveConfigCallback):
    """Saves the configuration of a training run only, so that a test in the same folder does not overwrite it."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if stage == "fit":
            super().setup(trainer, pl_module, stage)


class VideoCLI(LightningCLI):
    """The Lightning CLI with videogn's links, and with checkpoints that decide what the network is.

    Args:
        command: fit, validate or test.
        description: Description of the command for its help.
        help_section: Section of the help, see `_Parser`.
    """

    def __init__(self, command: str, description: str = "", help_section: str = "") -> None:
        check_choice("--help", help_section or "all", ("all", *_SECTIONS))
        self._command = command
        self._linked = True
        self._parser_options = {"description": description, "help_section": help_section}
        super().__init__(
            VideoClassifier,
            VideoDataModule,
            parser_class=_Parser,
            parser_kwargs={command: self._parser_options},
            save_config_callback=_SaveConfigOfFit,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": [EffectiveBatch(), TrainingCost()], "enable_model_summary": False},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            # Plain hyper-parameters: a checkpoint loads without the class path of its writer.
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Return the one command that runs; predict is a command of its own, for files."""
        return {self._command: LightningCLI.subcommands()[self._command]}

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **options: Any) -> LightningArgumentParser:
        """Leave out Lightning's table after a test, whose outcome the task logs, unless --verbose asks for it."""
        parser = super()._prepare_subcommand_parser(klass, subcommand, **options)
        if subcommand == "test":
            parser.set_defaults({"verbose": False})
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of checkpoints, and link what model and data share."""
        parser.add_argument("--trust", nargs="+", type=str, default=[], metavar="PACKAGE", help=_SHORT["trust"])
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.filename": "{epoch}", "trainer.default_root_dir": "runs"})
        parser.set_defaults({"checkpoint.save_last": True, "checkpoint.save_on_exception": True})
        if self._linked:
            for given, follower in _LINKS.items():
                parser.link_arguments(given, follower)
            names = "data.training_classes" if self._command == "fit" else "data.class_names"
            parser.link_arguments(names, "model.class_names", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """Write metrics.csv into runs/version_0 and so on, unless another logger is asked for."""
        config = self.config[self._command]
        trainer = config.trainer
        if trainer.logger is None or trainer.logger is True:  # Lightning would take whichever is installed
            trainer.logger = Namespace(
                class_path="lightning.pytorch.loggers.CSVLogger",
                init_args=Namespace(save_dir=trainer.default_root_dir, name="", version=None, prefix=""),
            )
        # jsonargparse has filled in the optimiser's own default.
        optimizer = config.model.optimizer
        own_rate = optimizer is not None and "lr" in optimizer.init_args
        if own_rate and "model.optimizer.init_args.lr" not in self._given():
            optimizer.init_args.lr = config.model.lr

    def instantiate_trainer(self, **options: Any) -> Trainer:
        """Make the trainer; its progress takes one line, unless another bar or none is asked for."""
        asked = self.config_init[self._command].trainer
        callbacks = [asked.callbacks] if isinstance(asked.callbacks, Callback) else list(asked.callbacks or ())
        if asked.enable_progress_bar is not False and not any(isinstance(each, ProgressBar) for each in callbacks):
            callbacks.append(OneLineBar())
        return super().instantiate_trainer(callbacks=callbacks, **options)

    def after_fit(self) -> None:
        """Say what came out and where it is, and draw the percentiles that a callback has recorded."""
        trainer: Any = self.trainer
        if trainer.is_global_zero:
            top1 = trainer.callback_metrics.get("val/top1")
            best = "" if top1 is None else f"val/top1 {100 * float(top1):.1f} %; "
            written = trainer.checkpoint_callback
            _log.info("%s%s", best, written.last_model_path or written.best_model_path or trainer.log_dir)
            for callback in trainer.callbacks:
                if isinstance(callback, FeaturePercentiles) and callback.path.is_file():
                    from videogn.report.percentile_figure import plot_percentiles

                    plot_percentiles(callback.path, callback.path.with_name(f"{callback.path.stem}.png"))

    def _given(self) -> Namespace:
        """Parse the command line and its configurations without defaults: what the user has set."""
        self._linked = False  # a link needs a source
        try:
            parser = self._prepare_subcommand_parser(Trainer, self._command, **self._parser_options)
        finally:
            self._linked = True
        return parser.parse_args(sys.argv[2:], defaults=False)

    def _parse_ckpt_path(self) -> None:
        """Take what the network is from the checkpoint, and refuse a command line that says otherwise.

        Lightning would override the command line silently.
        """
        command, config = self._command, self.config[self._command]
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
        given = self._given()
        typed = [given[key] for key in ("model.arch", "model.norm") if given.get(key)]
        content = read_fit_checkpoint(config.ckpt_path, trust=[*config.trust, *typed])
        _adopt(config, content["hyper_parameters"], given, training=command == "fit")


def run_lightning(command: str, description: str, help_section: str) -> int:
    """Run fit, validate or test with the arguments of the process.

    Args:
        command: Name of the command.
        description: Description of the command for its help.
        help_section: Section of the help, if help is asked for.

    Returns:
        0, or 1 if a validation or test lost more videos than --data.max_failures; its results are written.
    """
    lines = _AboveBar() if sys.stderr.isatty() else logging.StreamHandler()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[lines])
    for handler in [*logging.getLogger("lightning.pytorch").handlers, *logging.getLogger("lightning.fabric").handlers]:
        handler.addFilter(lambda line: not line.getMessage().startswith(_NOISE))
    for message in _IGNORED:
        warnings.filterwarnings("ignore", message=message)
    torch.set_float32_matmul_precision("high")
    callbacks: list[Any] = VideoCLI(command, description, help_section).trainer.callbacks  # type: ignore[attr-defined]
    return int(any(isinstance(callback, FailurePolicy) and callback.exceeded for callback in callbacks))


class _AboveBar(logging.StreamHandler[Any]):
    """Writes to what sys.stderr is at that moment: a progress bar replaces it, to write lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _adopt(config: Namespace, hparams: dict[str, Any], given: Namespace, *, training: bool) -> None:
    """Take over a checkpoint's settings, unless the user has given others."""
    wanted = {f"model.{name}": hparams[name] for name in CONTRACT if name in hparams and name != "fps"}
    # A network may well be tested on other crops or at another rate than it was made for.
    wanted |= {"data.fps": hparams.get("fps")} if training or given.get("data.fps") is None else {}
    if "model.crops" not in given:
        config["model.crops"] = hparams["crops"]
    wanted["data.class_names"] = hparams["class_names"]
    for key, value in wanted.items():
        # A saved configuration spells out what was left open: null asks for nothing.
        asked, made = _plain(config[key]), _plain(value)
        if key == "model.arch_options":
            # The memory mode is up to whoever trains.
            value = {**(value or {}), **{k: v for k, v in (asked or {}).items() if k == "memory_mode"}} or None
            asked, made = (_architecture(hparams["arch"], options) for options in (asked, made))
        if key in given and config[key] is not None and asked != made:
            raise ValueError(
                f"{key} is {config[key]}, but {config.ckpt_path} was trained with {value or 'none'}; "
                "leave it out, or start from its weights with --model.init_from"
            )
        config[key] = value
    for source, follower in _LINKS.items():
        config[follower] = config[source]
    config["model.init_from"] = None  # the checkpoint has all weights, and the file may not exist any more


def _architecture(arch: str, options: dict[str, Any] | None) -> dict[str, Any]:
    """Return all options of an architecture except dropout and memory mode, which are no part of what was trained."""
    parameters = inspect.signature(find("arch", arch, MODELS, "videogn.models")).parameters.values()
    defaults = {parameter.name: _plain(parameter.default) for parameter in parameters}
    return {**defaults, **(options or {}), "dropout": None, "memory_mode": None}


def _newest_checkpoint(root: Path) -> str | None:
    # Of runs in folders of their own, or in this one; a second run in the same folder writes last-v1.ckpt.
    files = [path for folder in ("*/checkpoints", "checkpoints") for path in root.glob(f"{folder}/last*.ckpt")]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    return str(found[-1]) if found else None


def _plain(value: Any) -> Any:
    """Convert tuples to lists and namespaces to dicts, so that they compare equal."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "as_dict"):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
