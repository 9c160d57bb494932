"""Lightning's command line over VideoClassifier and VideoDataModule, for fit, validate and test."""

from __future__ import annotations

import functools
import logging
import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from videogn.checks import check_choice
from videogn.choices import check_rate
from videogn.cli.auto_memory import choose_memory, leave_out_auto
from videogn.cli.blank_values import check_texts
from videogn.cli.checkpoint_settings import LINKS, adopt, adopt_exported, adopt_protocol, adopt_published
from videogn.cli.largest_values import check_largest
from videogn.cli.lightning_lines import prepare
from videogn.cli.logged_confusion import confusion_pictures
from videogn.cli.saved_config import SaveConfigOfFit
from videogn.cli.trainer_flags import check_flags, check_folders, complete_flags, one_reason
from videogn.cli.training_bar import progress_bar
from videogn.cli.training_parser import SECTIONS, SHORT, TrainingParser
from videogn.cli.what_fits import saying_what_fits
from videogn.data.datamodule import VideoDataModule
from videogn.training.callbacks import (
    EffectiveBatch,
    ExpectedTime,
    FeaturePercentiles,
    PlannedMemory,
    RandomWeights,
    RunHistory,
    TrainingAtChance,
    TrainingCost,
    WaitingForVideos,
)
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.failure_policy import FailurePolicy
from videogn.training.labelling import OneLabel
from videogn.training.restoring import check_epochs, check_progress, restoring
from videogn.training.resuming import check_resumable, stopped_in_epoch
from videogn.training.task import VideoClassifier
from videogn.trust import KNOWN, check_trusted, is_dotted, trusted_by, typed_as

if TYPE_CHECKING:
    from videogn.training.video_test import Outcome

_log = logging.getLogger(__name__)


class VideoCLI(LightningCLI):
    """The Lightning CLI with videogn's links, and with checkpoints that decide what the network is.

    Args:
        command: fit, validate or test.
        description: Description of the command for its help.
        help_section: Section of the help, see `TrainingParser`.
    """

    def __init__(self, command: str, description: str = "", help_section: str = "") -> None:
        check_choice("--help", help_section or "all", ("all", *SECTIONS))
        self._command = command
        self._linked = True
        self._several_labels: bool | None = None  # what the network of a checkpoint was trained on
        self._resumed: tuple[dict[str, Any], bool] = ({}, False)  # facts of that run, whether in the middle of an epoch
        self._parser_options = {"description": description, "help_section": help_section}
        super().__init__(
            VideoClassifier,
            VideoDataModule,
            parser_class=TrainingParser,
            parser_kwargs={command: self._parser_options},
            save_config_callback=SaveConfigOfFit,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": _callbacks(command), "enable_model_summary": False},
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
        if self._command != "fit":
            parser.add_argument(
                "--engine-file", type=str | None, default=None, metavar="FILE", help=SHORT["engine_file"]
            )
            if self._linked:
                parser.link_arguments("engine_file", "model.engine_file")
        else:  # absent unless given: a saved configuration is one of test and validate, too
            parser.add_argument("--find_lr", action="store_true", default=SUPPRESS, help=SHORT["find_lr"])
        if self._command == "test":
            parser.add_argument("--no-report", action="store_true", help=SHORT["no_report"])
        parser.add_argument("--trust", nargs="+", type=str, default=[], metavar="PACKAGE", help=SHORT["trust"])
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.set_defaults({"trainer.default_root_dir": "runs"})
        parser.set_defaults({"checkpoint.save_last": True, "checkpoint.save_on_exception": True})
        if self._linked:
            for given, follower in LINKS.items():
                parser.link_arguments(given, follower)
            names = "data.training_classes" if self._command == "fit" else "data.class_names"
            parser.link_arguments(names, "model.class_names", apply_on="instantiate")
            parser.link_arguments("data.several_labels", "model.several_labels", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """Check and complete the flags of the trainer; decide which learning rate is the optimiser's."""
        config = self.config[self._command]
        if self._command == "fit" and config.model.engine_file is not None:
            raise ValueError(f"{config.model.engine_file} cannot be trained: an exported file can only be tested")
        for group in ("model", "data", "checkpoint", "trainer"):
            check_largest(vars(config.get(group, Namespace())), group)
        check_rate("--data.fps", config.data.fps)
        check_flags(config.trainer, self._command)
        check_folders(config, self._command)
        complete_flags(config.trainer)
        if self._command == "fit":
            choose_memory(config, self._resumed[0])
        else:
            leave_out_auto(config)
        if config.model.optimizer is not None:
            from videogn.cli.optimizer_settings import settle_optimizer, words_of_configs  # few runs name one

            words = sys.argv[2:]
            settle_optimizer(config.model, self._given(), self._given(words_of_configs(words)), words)

    def instantiate_classes(self) -> None:
        """Refuse a checkpoint of videos with one label for videos with several, and the reverse."""
        super().instantiate_classes()
        several = self.datamodule.several_labels
        trained = self._several_labels
        if trained is None:  # no checkpoint of ours: a new network, or a published or exported one
            trained = several if self._command == "fit" else False
        if trained != several:
            has, given = ("several labels", "one") if trained else ("one label", "several")
            raise ValueError(f"the network was trained on {has} a video, and these videos have {given}")

    def instantiate_trainer(self, **options: Any) -> Trainer:
        """Make the trainer; its progress takes one line, unless another bar or none is asked for."""
        asked = self.config_init[self._command].trainer
        callbacks = [asked.callbacks] if isinstance(asked.callbacks, Callback) else list(asked.callbacks or ())
        wanted = asked.enable_progress_bar is not False and not asked.barebones
        if wanted and not any(isinstance(each, ProgressBar) for each in callbacks):
            callbacks.append(progress_bar())
        trainer: Any = super().instantiate_trainer(callbacks=callbacks, **options)
        trainer.callbacks[:0] = confusion_pictures(trainer.loggers)
        return trainer

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Leave out the checkpoints of --checkpoint where none are to be written."""
        if config["enable_checkpointing"] is False or config["barebones"]:
            callbacks = [each for each in callbacks if not isinstance(each, RunCheckpoint)]
        return super()._instantiate_trainer(config, callbacks)

    def before_fit(self) -> None:
        """Refuse to resume with other batches or another average while no file has been written yet."""
        trainer: Any = self.trainer
        together = self.datamodule.batch_size * trainer.num_devices * trainer.num_nodes
        facts, in_epoch = self._resumed
        batches = {"clips_per_step": together * trainer.accumulate_grad_batches, "clips_per_batch": together}
        settings = self.model.settings
        known = {"layer_decay": settings.layer_decay, "ema": settings.ema, "frozen": self.model.freezing.describe()}
        check_resumable(facts, {**batches, **known}, in_epoch=in_epoch)
        for checkpoint in trainer.checkpoint_callbacks:
            if checkpoint.monitor == OneLabel.first_metric:  # by default; videos with several labels have another
                checkpoint.monitor = self.model.labelling.first_metric

    def after_fit(self) -> None:
        """Say what came out and where it is, and draw the percentiles that a callback has recorded."""
        from videogn.cli.closing_lines import closing_lines

        trainer: Any = self.trainer
        model = self.config[self._command].model
        trust = list(dict.fromkeys(typed_as(name) for name in (model.arch, model.norm) if is_dotted(name)))
        lines = closing_lines(trainer, self._given().get("data", Namespace()).as_dict(), trust)
        if trainer.is_global_zero:
            for line in lines:
                _log.info(line)  # the command may be of several lines, which a name cannot make
            for callback in trainer.callbacks:
                if isinstance(callback, FeaturePercentiles) and callback.path.is_file():
                    from videogn.report.percentile_figure import plot_percentiles

                    plot_percentiles(callback.path, callback.path.with_name(f"{callback.path.stem}.png"))

    def after_test(self) -> None:
        """Write the page of the test, unless --no-report asks for none."""
        from videogn.cli.report_after_test import write_page
        from videogn.training.video_test import results_folder

        trainer: Any = self.trainer
        folder = results_folder(trainer, self.model.results_dir)  # every process must ask
        if trainer.is_global_zero and not self.config[self._command].no_report:
            write_page(folder)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run it; where it is asked to end, in good order; where memory runs out, say what would fit."""
        from videogn.cli.named_code import naming_what_failed
        from videogn.cli.stopped_training import stopping_in_order

        with (
            saying_what_fits(self, subcommand),
            naming_what_failed(self.config[subcommand]),
            restoring(self.config[subcommand].ckpt_path),
            stopping_in_order(self.trainer, subcommand),
        ):
            super()._run_subcommand(subcommand)

    @functools.cached_property
    def _unlinked(self) -> LightningArgumentParser:
        """A parser for what the user has set: without links, since a link needs a source."""
        self._linked = False
        try:
            return self._prepare_subcommand_parser(Trainer, self._command, **self._parser_options)
        finally:
            self._linked = True

    def _given(self, words: Sequence[str] | None = None) -> Namespace:
        """Parse the command line, or some words of it, without defaults: what the user has set."""
        return self._unlinked.parse_args(list(sys.argv[2:] if words is None else words), defaults=False)

    def _parse_ckpt_path(self) -> None:
        """Take what the network is from the checkpoint, and refuse a command line that says otherwise.

        Lightning would override the command line silently.
        """
        command, config = self._command, self.config[self._command]
        check_texts(vars(config))
        trust = trusted_by(sys.argv[2:])  # a file that says `trust` cannot decide it
        check_trusted("a configuration", [config.model.arch, config.model.norm], [*KNOWN, *trust])
        if command != "fit" and config.engine_file is not None:
            adopt_exported(config, config.engine_file, self._given())
            return
        if config.ckpt_path in ("last", "best"):
            from videogn.training.newest_checkpoint import find_checkpoint

            found = find_checkpoint(config.ckpt_path, Path(config["trainer.default_root_dir"]), command)
            config.ckpt_path = None if found is None else str(found)
        if config.ckpt_path is None:
            source = config["model.init_from"]
            if command != "fit" and source is None:
                raise ValueError(f"nothing to {command}: name a checkpoint with --ckpt_path")
            # Tests of a network that the user has described; torchvision's weights come with the default there.
            if command == "test" and str(source).startswith("zoo:") and "data.protocol" not in self._given():
                adopt_protocol(config, source)
            return
        if config.ckpt_path in ("hpc", "registry"):
            return
        from videogn.models.fit_checkpoint import read_fit_checkpoint
        from videogn.models.network_sources import published_network

        given = self._given()
        network = published_network(config.ckpt_path, trust=trust)
        if network is not None:
            adopt_published(config, network, given, training=command == "fit")
            return
        content = read_fit_checkpoint(config.ckpt_path, trust=trust)
        if command == "fit":
            if "loops" not in content:  # only the weights were saved
                raise ValueError(
                    f"{config.ckpt_path} holds a network and no training run to go on with; start from it with "
                    "--model.init_from"
                )
            check_progress(config.ckpt_path, content)
            check_epochs(config.ckpt_path, content, config["trainer.max_epochs"])
            options = content["hyper_parameters"].get("arch_options") or {}
            facts = {**content.get("training", {}), "memory_mode": options.get("memory_mode", "plain")}
            self._resumed = (facts, stopped_in_epoch(content))
        self._several_labels = content["hyper_parameters"].get("several_labels", False)
        adopt(config, content["hyper_parameters"], given, training=command == "fit")


def _callbacks(command: str) -> list[Callback]:
    """What is said and counted of every run."""
    callbacks: list[Callback] = [EffectiveBatch(), TrainingCost()]
    if command == "fit":
        callbacks += [RandomWeights(), RunHistory(), TrainingAtChance(), PlannedMemory(), ExpectedTime()]
        callbacks += [WaitingForVideos()]
    return callbacks


def run_lightning(command: str, description: str, help_section: str, *, cli: type[VideoCLI] = VideoCLI) -> int:
    """Run fit, validate or test with the arguments of the process.

    Args:
        command: Name of the command.
        description: Description of the command for its help.
        help_section: Section of the help, if help is asked for.
        cli: What makes and runs the trainer.

    Returns:
        0, or 1 if a validation or test lost more videos than --data.max_failures; its results are written.

    Raises:
        FloatingPointError: No video of a test got a score; its results say so.
    """
    prepare(command)
    with one_reason():
        made = cli(command, description, help_section)
    outcome: Outcome | None = made.model.outcome
    if outcome is not None and outcome.failure is not None:
        raise FloatingPointError(outcome.failure)
    callbacks: list[Any] = made.trainer.callbacks  # type: ignore[attr-defined]
    return int(any(isinstance(callback, FailurePolicy) and callback.exceeded for callback in callbacks))
