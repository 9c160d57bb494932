"""The parser of fit, validate and test: errors of one line, and a help in sections."""

from __future__ import annotations

import copy
from argparse import Action, _ArgumentGroup
from dataclasses import fields
from typing import Any

from jsonargparse import DefaultHelpFormatter
from lightning.pytorch.cli import LightningArgumentParser

from videogn.cli.parsing import OneLineErrors
from videogn.system.configurations import shipped
from videogn.training.augmentation import AugmentationSettings
from videogn.training.freezing import FreezingSettings
from videogn.training.objective import ObjectiveSettings

#: Sections of the help and their titles.
SECTIONS = {
    "run": "Run",
    "model": "Model: network, input, optimisation",
    "tuning": "Fine-tuning: augmentation, loss, sampling, what trains (all off by default)",
    "data": "Data: videos, loading, test protocol",
    "checkpoint": "Checkpoints",
    "trainer": "Trainer",
}
#: Options of model and data that have a section of their own.
_TUNING = {
    *(f"model.{field.name}" for field in fields(AugmentationSettings)),
    *(f"model.{field.name}" for field in fields(ObjectiveSettings)),
    *(f"model.{field.name}" for field in fields(FreezingSettings)),
    *("model.layer_decay", "model.warmup_epochs", "model.ema", "model.adaptive_clip", "model.early_stopping"),
    *("data.sampling", "data.random_resized_crop", "data.random_resized_crop_ratio", "data.multigrid"),
}
#: What nobody writes on a command line: --engine-file stands for the one, --config for the others.
_UNNEEDED = ("model", "data", "model.engine_file")
#: Options of the sections that the short help shows in part: those that it shows, in few words.
SHORT = {
    "help": "Show this help; --help=SECTION shows all options of run, model, tuning, data, checkpoint or trainer.",
    "config": "Configuration: a YAML file or the name of one that ships. May be repeated; the later one wins.",
    "print_config": "Print the complete configuration and exit.",
    "seed_everything": "Seed of all random numbers.",
    "find_lr": "Train 100 steps at growing learning rates instead, say which rate to take, and draw learning_rate.png.",
    "no_report": "Write no page of the test.",
    "trust": "Packages that may be imported where a configuration or checkpoint names code from outside videogn.",
    "ckpt_path": "Checkpoint to resume from, or to evaluate; `last` is the newest in trainer.default_root_dir. "
    "test and validate also take `best`, that of the same run, or a published network, such as zoo:x3d_s.",
    "engine_file": "File that `videogn export` has written, in place of a checkpoint: .onnx, .xml or .pt2.",
    "model.mixup": "Alpha of mixup; 0.8 is usual.",
    "model.rand_augment": "Magnitude of RandAugment, 0 to 30; 9 is usual.",
    "model.label_smoothing": "Share of each target that is spread over all classes.",
    "model.freeze": "Parts that do not train: backbone, head, norms, stem, res2 to res5, or a module by its name.",
    "model.layer_decay": "Factor on the learning rate from each stage to the one before it.",
    "model.ema": "Decay of an average of the weights, which validations and tests see; 0.999 is usual.",
    "checkpoint.minutes": "Minutes between two writes of last.ckpt; 0 writes it with the other checkpoints only.",
    "checkpoint.dirpath": "Folder of the checkpoints. Default: checkpoints in the log folder.",
    "checkpoint.monitor": "Value that decides which checkpoint is best, for instance val/loss; null: the newest.",
    "checkpoint.mode": "Whether the best value is the largest (max) or the smallest (min). Default: as accuracies and "
    "losses are.",
    "checkpoint.save_top_k": "Number of best checkpoints that are kept.",
    "trainer.max_epochs": "Number of epochs.",
    "trainer.max_steps": "Number of optimiser steps, in place of epochs.",
    "trainer.max_time": "Time limit, for instance 00:08:00:00 (days, hours, minutes, seconds).",
    "trainer.devices": "Number of devices, or a list of their numbers.",
    "trainer.precision": "Number format: 32, bf16-mixed, 16-mixed, bf16-true, 16-true or 64-true.",
    "trainer.accumulate_grad_batches": "Number of batches per optimiser step.",
    "trainer.gradient_clip_val": "Largest norm of the gradients of a step; larger ones are scaled down to it.",
    "trainer.check_val_every_n_epoch": "Number of epochs between validations.",
    "trainer.default_root_dir": "Folder of the logs and checkpoints.",
}
#: Options whose short help names their values.
_TYPE_IN_WORDS = ("ckpt_path", "model.compile", "trainer.devices", "trainer.precision")
_EPILOG = (
    "--help=tuning lists all options of fine-tuning, --help=trainer those of Lightning's Trainer (loggers, callbacks, "
    "...), --help=all everything. "
    "Configurations that ship: {names}."
)


class _Formatter(DefaultHelpFormatter):
    """jsonargparse's, which says the type of an option a second time where its values stand beside its name."""

    def _get_help_string(self, action: Action) -> str:
        text = super()._get_help_string(action)
        listed = str(action.metavar).startswith("{") or action.dest in _TYPE_IN_WORDS
        return text.replace("type: %(type)s, ", "") if listed else text


class TrainingParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line, and help that begins with the model and the data.

    Args:
        help_section: Section of the help: a key of SECTIONS, "all", or "" for the short help. Without it: Lightning's.
        **options: Options of Lightning's parser.
    """

    def __init__(self, *args: Any, help_section: str | None = None, **options: Any) -> None:
        super().__init__(*args, formatter_class=_Formatter, **options)
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
    for section, title in SECTIONS.items():
        if wanted in ("", "all", section):
            group = copy.copy(groups[0])
            group.title, group.description = title, None
            group._group_actions = [action for action in actions if _section(action) == section]
            if wanted == "" and section in ("model", "data"):
                group._group_actions = [each for each in group._group_actions if each.dest not in _UNNEEDED]
            elif wanted == "":
                group._group_actions = [_in_few_words(each) for each in group._group_actions if each.dest in SHORT]
            found.append(group)
    return found


def _section(action: Action) -> str:
    if action.dest in _TUNING:
        return "tuning"
    first = action.dest.partition(".")[0]
    return first if first in SECTIONS else "run"


def _in_few_words(action: Action) -> Action:
    action = copy.copy(action)
    action.help = SHORT[action.dest]
    return action
