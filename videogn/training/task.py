"""Lightning task: the training step, what is logged, the optimiser, the test of a video."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, get_args

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import MeanMetric

from videogn.axes import Batch, Sample
from videogn.checks import check_choice, require_positive
from videogn.choices import (
    ARCH,
    NORM,
    CropsName,
    EvaluationProtocol,
    EvaluationViews,
    LayoutName,
    NetworkInput,
    NonfiniteName,
    chosen,
)
from videogn.evaluation import score_views
from videogn.models import make_model
from videogn.models.inflation import DEFAULT
from videogn.models.input_size import check_input, check_views
from videogn.norm import make_norm
from videogn.training.augmentation import Augmentation
from videogn.training.course import course, epoch_steps
from videogn.training.failure_policy import FailurePolicy
from videogn.training.fallback_notice import FallbackNotice
from videogn.training.freezing import Freezing
from videogn.training.labelling import Labelling, OneLabel, SeveralLabels
from videogn.training.multigrid_training import MultigridTraining, follow_cycles
from videogn.training.nonfinite_policy import NonfinitePolicy
from videogn.training.objective import make_objective
from videogn.training.restoring import copy_of_network, leave_weights
from videogn.training.resuming import ONE_SHAPE, SameVideos, check_resumable, drawing
from videogn.training.task_settings import COMPUTING, TaskSettings
from videogn.video.transforms import normalise, view_chunks, views_of

if TYPE_CHECKING:
    from videogn.training.video_test import Outcome, VideoTest

_log = logging.getLogger(__name__)


class VideoClassifier(pl.LightningModule):
    """Video network with everything needed to train, test and use it: its checkpoints are self-contained.

    Args:
        arch: Architecture: i3d_r50, i3d_tiny, x3d_s, resnet50 and so on (docs/models.md), or a dotted path.
        norm: Normalisation over (T, H, W): bn, gn, ln, in, brn, frozen_bn, sync_bn, sub_bn, ws+gn, bcn, mabn, rms_gn,
            evonorm_s0, frn, nf, dyt, derf, none (docs/models.md), or your own by its dotted path.
        norm_options: Options of the norm, for instance {groups: 32} or {channels_per_group: 16}.
        arch_options: Further arguments of the architecture, for instance {dropout: 0.5, pool_window: [null, 4, 4]}.
        class_names: Class names in the order of the class numbers. The command line takes them from the data.
        several_labels: Whether a video may show several classes, or none. The command line takes it from the data.
        crops: Part of the frame that is seen in evaluation: `full` (fully convolutionally), `three_crop` or `center`.
        engine_file: File that `videogn export` has written, to be tested in the place of a network built here.
        init_from: Initial weights for fine-tuning: a file, a folder or hf:USER/NAME in the Hugging Face layout,
            timm:NAME, torchvision:NAME or zoo:NAME. To resume a training run, use --ckpt_path.
        clips_per_forward: Number of views that go through the network at once in testing. Lower it when memory is
            short.
        nonfinite: What a loss or gradient that is NaN or infinite does to a training run: `stop`, with status 1, or
            `skip` the step, at most 10 steps one after the other and 100 in all.
        results_dir: Folder of the test results. Default: the log folder.
        save_clip_probabilities: Write the probabilities of every clip too, clips x classes numbers per video.
        **settings: Fields of `videogn.choices.NetworkInput`, `videogn.training.optimisation.Optimisation`,
            `videogn.training.objective.ObjectiveSettings`, `videogn.training.augmentation.AugmentationSettings`,
            `videogn.training.freezing.FreezingSettings` and `videogn.training.task_settings.ComputingSettings`.

    Raises:
        ValueError: If a name or number is wrong.
    """

    input_mean: Tensor
    input_std: Tensor
    _test: VideoTest  # while it runs

    def __init__(
        self,
        arch: str = ARCH,
        norm: str = NORM,
        norm_options: dict[str, Any] | None = None,
        arch_options: dict[str, Any] | None = None,
        class_names: list[str] | None = None,
        several_labels: bool = False,
        crops: CropsName = EvaluationProtocol.crops,
        engine_file: str | None = None,
        init_from: str | None = None,
        clips_per_forward: int = 10,
        nonfinite: NonfiniteName = "stop",
        results_dir: str | None = None,
        save_clip_probabilities: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.settings = TaskSettings(**settings)
        check_choice("crops", crops, get_args(CropsName))
        if not class_names:
            raise ValueError("class_names must name at least one class, got none")
        require_positive("clips_per_forward", clips_per_forward)
        self.class_names = class_names
        self.labelling: Labelling = (SeveralLabels if several_labels else OneLabel)(len(class_names))
        self._nonfinite = NonfinitePolicy(nonfinite)
        self.results_dir = results_dir
        self.save_clip_probabilities = save_clip_probabilities
        self._engine_file = engine_file
        self.layout: LayoutName = "contiguous"
        if engine_file is None:
            self.net = make_model(arch, len(class_names), norm, norm_options, arch_options)
        else:
            from videogn.engine_files import open_engine  # no training needs it

            self.net = open_engine(engine_file)
        check_input(self.net, self.settings.clip_length, self.settings.crop_size)
        mean, std = self.settings.mean, self.settings.std
        self.source = None if init_from is None else str(init_from)  # what the weights are, until they are trained
        if init_from is not None:
            from videogn.models.weights import load_weights  # a network that goes on or is tested needs none

            own_norm = (norm, norm_options or {})
            report = load_weights(self.net, init_from, class_names=class_names, norm=own_norm, mean=mean, std=std)
            _log.log(logging.WARNING if report.notes else logging.INFO, "init_from %s: %s", init_from, report)
            mean, std = mean or report.mean, std or report.std
        self.settings = replace(self.settings, mean=mean or DEFAULT.mean, std=std or DEFAULT.std)
        if self.settings.adaptive_clip is None:
            self.settings = replace(self.settings, adaptive_clip=make_norm(norm, **(norm_options or {})).adaptive_clip)
        # Buffers, so that no step waits for a transfer; a checkpoint has them as hyper-parameters.
        self.register_buffer("input_mean", torch.tensor(self.settings.mean), persistent=False)
        self.register_buffer("input_std", torch.tensor(self.settings.std), persistent=False)
        # Plain values only: a checkpoint loads where the initial weights, the results and the optimiser do not exist.
        network = {"arch": arch, "norm": norm, "norm_options": norm_options, "arch_options": arch_options}
        use = {
            "class_names": class_names,
            "several_labels": several_labels,
            "crops": crops,
            "clips_per_forward": clips_per_forward,
        }
        settings = asdict(replace(self.settings, optimizer=None, scheduler=None))
        plain = {name: value for name, value in settings.items() if name not in COMPUTING}
        self.save_hyperparameters({**network, **use, **plain})
        self.val_metrics = self.labelling.metrics()
        self.val_loss = MeanMetric()
        self.objective = make_objective(self.labelling.objective, self.settings, class_names)
        self._plain_objective = self.labelling.objective()
        self.freezing = Freezing(self.net, self.settings, len(class_names), initial=init_from is None)
        self._augmentation = Augmentation(self.settings, num_classes=len(class_names), mean=self.input_mean.tolist())
        self._run: dict[str, Any] = {}  # facts of this training run that a resumed one must share
        self._seed = torch.initial_seed()
        self.outcome: Outcome | None = None  # of the last test
        self._restored: dict[str, Any] | None = None  # from the checkpoint, facts of its run

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, trust: Collection[str] = (), **options: Any) -> Any:
        """Load a task as Lightning does, on the CPU unless `map_location` says otherwise, of what `fit` writes alone.

        `trust` names the packages that the checkpoint may import from outside.
        """
        return super().load_from_checkpoint(copy_of_network(checkpoint_path, trust=trust), *args, **options)

    def forward(self, clips: Tensor) -> Tensor:
        """Compute logits (B, K, T', H', W') of normalised clips (B, 3, T, H, W)."""
        return self.net(clips)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss, averaged over all positions."""
        with drawing(self._seed, self.global_rank, self.current_epoch, batch_index, device=self.device):
            logits, targets = self.training_logits(batch, self._augmentation)
        loss = self.objective(logits, targets)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(targets))
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor] | None:
        """Update loss and accuracies with one clip per video that decodes; return probabilities and targets."""
        outcome = None
        if batch.samples:
            logits, targets = self.training_logits(batch)
            try:
                probabilities = self.labelling.probabilities(logits)
            except ValueError:  # not finite
                self._nonfinite.refuse_validation(self.trainer, batch)
            else:
                self.val_metrics.update(probabilities, targets)
                self.val_loss.update(self._plain_objective(logits, targets), len(targets))
                outcome = {"probabilities": probabilities, "targets": targets}
        # Metric objects, not numbers: numbers of uneven processes would be averaged wrongly. Logged without videos too,
        # since all processes must take part in the exchange.
        size = max(len(batch.samples), 1)
        for name, metric in self.val_metrics.items():
            self.log(name, metric, prog_bar=name == self.labelling.first_metric, batch_size=size)
        self.log("val/loss", self.val_loss, batch_size=size)
        return outcome

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the facts that a result or a resumed training run needs; refuse weights that are not finite."""
        self._nonfinite.check_weights(checkpoint["state_dict"], self.trainer.global_step)
        checkpoint["training"] = {"seed": self._seed, **self._run}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep these facts until the run starts; a test needs nothing else of that run than its weights."""
        self._restored = checkpoint.get("training")
        if self._trainer is not None and self._trainer.state.fn != TrainerFn.FITTING:
            leave_weights(checkpoint)

    def configure_callbacks(self) -> list[pl.Callback]:
        """Count failed videos and those of another decoder, look for numbers not finite; what the settings ask for."""
        asked = self.settings.callbacks(self.labelling.first_metric)
        notices = [FailurePolicy(), FallbackNotice(), SameVideos()]
        return [*notices, self._nonfinite, self.freezing, MultigridTraining(), *asked]

    def on_train_start(self) -> None:
        """Continue the random numbers of a resumed run, or refuse to resume with other batches or another optimiser.

        Some strategies restore a checkpoint only after the start of the fit, so this cannot happen there.
        """
        self.source = None
        seed = (self._restored or {}).get("seed")
        self._seed = self.trainer.strategy.broadcast(torch.initial_seed() if seed is None else seed)
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        in_epoch = progress.current.ready > 0 and not progress.is_last_batch
        check_resumable(self._restored or {}, self._run, in_epoch=in_epoch)
        self.settings.check_convolutions(self.net, self.trainer, self.layout)

    def setup(self, stage: str) -> None:
        """Weigh the classes by the training videos; refuse a test's views; lay out and compile the network."""
        if stage == "fit" and self.settings.class_weights == "balanced":
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            self.objective.balance(*data.training_counts())
            self.objective.to(self.device)
        if stage == "test":
            check_views(self.net, chosen(EvaluationViews, self.hparams))
        if self._engine_file is None:
            self.layout = self.settings.prepare(self.net, self.hparams["norm"], self.trainer, training=stage == "fit")

    def on_test_epoch_start(self) -> None:
        from videogn.training.video_test import VideoTest  # no training needs it

        self._test = VideoTest(
            self.clip_probabilities,
            chosen(NetworkInput, self.hparams),
            keep_clips=self.save_clip_probabilities,
            several_labels=self.labelling.several,
        )

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Score all clips of each video and add its result."""
        self._test.add(batch)

    def on_test_epoch_end(self) -> None:
        """Send all results to process 0, which writes them and logs the accuracies."""
        from videogn.training.tested_network import describe_tested

        about = describe_tested(self, source=self.source, training=self._restored, engine_file=self._engine_file)
        self.outcome = self._test.finish(self.trainer, self.results_dir, classes=self.class_names, about=about)
        self.log_dict(self.outcome.logged, rank_zero_only=True)
        del self._test  # and its file

    def teardown(self, stage: str) -> None:
        """Log the outcome of a test, when the progress bar is closed."""
        if stage == "test" and self.outcome is not None and self.outcome.line is not None:
            _log.info("%s", self.outcome.line)
            if self.outcome.warning is not None:
                _log.warning("%s", self.outcome.warning)

    def clip_probabilities(self, sample: Sample) -> Tensor:
        """Compute the probabilities of each clip, averaged over its crops, `clips_per_forward` views at a time.

        Args:
            sample: Decoded video, its frames on this module's device.

        Returns:
            Probabilities (clips, K), float32.

        Raises:
            ValueError: A logit is NaN or infinite.
        """
        chunks = view_chunks(sample, self.hparams["clips_per_forward"])
        views = map(self._normalise, chunks)
        return score_views(self.net, views, len(sample.crops), several_labels=self.labelling.several)

    def configure_optimizers(self) -> Any:
        """Make the optimiser, its learning rate scaled by the batch, and a scheduler that follows every step."""
        trainer = self.trainer
        trainer.fit_loop.setup_data()  # max_steps alone would leave the loader unknown
        loader: Any = trainer.train_dataloader
        self._augmentation.check_batch(loader.clips)
        together = loader.clips * trainer.world_size
        batch = together * trainer.accumulate_grad_batches
        settings, multiple = follow_cycles(self.settings, loader.multigrid)
        with self.freezing.everything_that_trains():
            optimizer = settings.make_optimizer(self.net, batch)
        scheduler = settings.make_scheduler(optimizer, *course(trainer), epoch_steps(trainer), multiple)
        if "monitor" in scheduler:  # a value that only a validation gives
            scheduler["frequency"] = trainer.check_val_every_n_epoch or 1
        self._run = {
            "clips_per_batch": together,
            "clips_per_step": batch,
            "shapes": str(loader.multigrid or ONE_SHAPE),
            **self.settings.facts(optimizer, scheduler["scheduler"]),
            "frozen": self.freezing.describe(),
        }
        check_resumable(self._restored or {}, self._run, in_epoch=False)
        if trainer.is_global_zero:
            _log.info("%s", self.settings.describe(optimizer, scheduler["scheduler"]))
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def training_logits(self, batch: Batch, augmentation: Augmentation | None = None) -> tuple[Tensor, Tensor]:
        """Run a batch through the network as training and validation do.

        Args:
            batch: Decoded videos, at least one, with one view each, on this module's device.
            augmentation: What a training step does to clips and targets before. Default: None.

        Returns:
            Logits (B, K, T', H', W'), and int64 labels (B,) or, of videos that may show several classes, 0 and 1 for
            each class (B, K); shares of the classes (B, K) where clips were mixed.
        """
        views = views_of(*batch.samples)  # (B, C, T, H, W)
        targets = self.labelling.targets(batch.samples).to(views.device, non_blocking=True)
        if augmentation is None:
            return self.net(self._normalise(views)), targets
        clips, targets = augmentation(views, targets, self._normalise)
        return self.net(clips), targets

    def _normalise(self, clips: Tensor) -> Tensor:
        layout = torch.channels_last_3d if self.layout == "channels_last" else torch.contiguous_format
        values = normalise(clips, self.input_mean, self.input_std, layout)
        return values.to(self.input_mean.dtype)  # like the weights: --trainer.precision ...-true converts both
