"""The LightningModule: step, log, optimisers. What it computes is elsewhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from videogn.axes import Batch, Sample
from videogn.checks import check_choice
from videogn.evaluation import ResultCollection, VideoResult, clip_probabilities, score_video, write_results
from videogn.evaluation.results import TOP_K
from videogn.models import MODELS
from videogn.models.weights import load_weights
from videogn.training.course import course
from videogn.training.failure_policy import FailurePolicy
from videogn.training.optimisation import SCALINGS, make_schedule, parameter_groups, scaled_learning_rate
from videogn.training.resuming import check_clips, drawing
from videogn.video.clips import is_short
from videogn.video.crops import CROPS
from videogn.video.transforms import normalise, view_chunks, views_of

_log = logging.getLogger(__name__)

#: Hyper-parameters that say what the network is and what it expects to see: a checkpoint decides them.
CONTRACT = (
    "arch",
    "norm",
    "norm_options",
    "arch_options",
    "clip_length",
    "interval",
    "crop_size",
    "short_side",
    "mean",
    "std",
)


#: Input normalisation of the released code of Wang et al. 2018, the GN paper's baseline.
_MEAN = (0.45, 0.45, 0.45)
_STD = (0.225, 0.225, 0.225)


class VideoClassifier(pl.LightningModule):
    """A video network with what it needs to be trained, tested and used: a checkpoint of it is complete.

    Args:
        arch: i3d_r50, i3d_r50_8x8 or i3d_tiny.
        norm: bn, gn, ln, in, brn, frozen_bn, sync_bn, sub_bn, ws+gn, bcn or none, over (T, H, W).
        norm_options: of the norm, for instance {groups: 32} or {channels_per_group: 16}.
        arch_options: further arguments of the architecture, for instance {dropout: 0.5, pool_window: [null, 4, 4]}.
        class_names: names in the order of the class numbers; the command line takes them from the data.
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        crop_size: side of the square training crop, pixels.
        short_side: shorter side of the frames in evaluation, pixels.
        crops: what of the frame is seen in evaluation: full (fully convolutionally), three_crop or center.
        mean: of each input channel (RGB), subtracted; in units of the full range. By default what the weights of
            `init_from` were trained on, else 0.45 (released code of Wang et al. 2018).
        std: of each input channel (RGB), divided by; likewise, else 0.225.
        lr: learning rate for `base_batch` clips an optimiser step.
        base_batch: the rate is scaled from it to the real number of clips; null leaves `lr` as it is.
        scaling: how the rate is scaled: linear, or sqrt, with the square root of the number of clips.
        momentum: of SGD, in Nesterov's form.
        weight_decay: of weights; norms' parameters and biases have none.
        schedule: step or cosine.
        milestones: parts of the training after which the step schedule lowers the rate.
        lr_gamma: factor of each lowering.
        warmup: part of the training in which the rate rises from nearly 0.
        init_from: where to take initial weights from (fine-tuning): a file, timm:NAME, torchvision:NAME or zoo:NAME;
            resuming is --ckpt_path.
        clips_per_forward: views that go through the network at once in testing; lower it when memory is short.
        results_dir: where testing writes; the log folder by default.
        save_clip_probabilities: write the probabilities of every clip too, clips x classes numbers a video.

    Raises:
        ValueError: a name or number is wrong.
    """

    input_mean: Tensor
    input_std: Tensor
    _results: ResultCollection  # while it is tested

    def __init__(
        self,
        arch: str = "i3d_r50",
        norm: str = "gn",
        norm_options: dict[str, Any] | None = None,
        arch_options: dict[str, Any] | None = None,
        class_names: list[str] | None = None,
        clip_length: int = 32,
        interval: int = 2,
        crop_size: int = 224,
        short_side: int = 256,
        crops: str = "full",
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        lr: float = 0.01,
        base_batch: int | None = 64,
        scaling: str = "linear",
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        schedule: str = "step",
        milestones: tuple[float, ...] = (0.375, 0.75),
        lr_gamma: float = 0.1,
        warmup: float = 0.0,
        init_from: str | None = None,
        clips_per_forward: int = 10,
        results_dir: str | None = None,
        save_clip_probabilities: bool = False,
    ) -> None:
        super().__init__()
        check_choice("arch", arch, MODELS)
        check_choice("crops", crops, CROPS)
        if not class_names:
            raise ValueError("class_names must name at least one class, got none")
        if clips_per_forward <= 0:
            raise ValueError(f"clips_per_forward must be > 0, got {clips_per_forward}")
        check_choice("scaling", scaling, SCALINGS)
        make_schedule(schedule, total_steps=1, warmup=warmup, milestones=milestones, gamma=lr_gamma)  # checks them now
        self.class_names = class_names
        self.results_dir = results_dir
        self.save_clip_probabilities = save_clip_probabilities
        self.net = MODELS[arch](
            num_classes=len(class_names), norm=norm, norm_options=norm_options, **(arch_options or {})
        )
        report = None
        if init_from is not None:
            own_norm = (norm, norm_options or {})
            report = load_weights(self.net, init_from, class_names=class_names, norm=own_norm, mean=mean, std=std)
            _log.log(logging.WARNING if report.notes else logging.INFO, "init_from %s: %s", init_from, report)
        mean = mean or (report and report.mean) or _MEAN
        std = std or (report and report.std) or _STD
        # Where the network is, so that no step waits for them; a checkpoint has them as hyper-parameters.
        self.register_buffer("input_mean", torch.tensor(mean), persistent=False)
        self.register_buffer("input_std", torch.tensor(std), persistent=False)
        # A checkpoint must load where these files do not exist.
        self.save_hyperparameters(ignore=["init_from", "results_dir", "save_clip_probabilities"])
        top_k = min(TOP_K, len(class_names))
        self.val_metrics = MetricCollection(
            {
                "val/top1": _accuracy(len(class_names), 1),
                "val/top5": _accuracy(len(class_names), top_k),
            },
            compute_groups=False,  # groups can merge top-1 with top-5
        )
        self.val_loss = MeanMetric()
        self._clips: dict[str, int] = {}  # in a batch of all processes, and in an optimiser step
        self._seed = torch.initial_seed()
        self._restored: dict[str, Any] | None = None  # what the checkpoint says about its training

    def forward(self, clips: Tensor) -> Tensor:
        """Normalised clips (B, 3, T, H, W) -> logits (B, K, T', H', W')."""
        return self.net(clips)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Cross-entropy at every position, averaged."""
        with drawing(self._seed, self.global_rank, self.current_epoch, batch_index, device=self.device):
            logits, labels = self.training_logits(batch)
        loss = _cross_entropy(logits, labels)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(labels))
        self.log(
            "train/failed",
            float(len(batch.failed)),
            on_step=False,
            on_epoch=True,
            reduce_fx="sum",
            sync_dist=True,
            batch_size=1,
        )
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """One clip a video: loss, top-1 and top-5 over the videos that decode."""
        if batch.samples:
            logits, labels = self.training_logits(batch)
            self.val_metrics.update(clip_probabilities(logits), labels)
            self.val_loss.update(_cross_entropy(logits, labels), len(labels))
        # Metric objects, not numbers: uneven processes would be averaged wrongly. Logged without videos too: a process
        # that did not take part in the exchange would stop the others.
        size = max(len(batch.samples), 1)
        for name, metric in self.val_metrics.items():
            self.log(name, metric, prog_bar=True, batch_size=size)
        self.log("val/loss", self.val_loss, batch_size=size)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what a result or a resumed training must know."""
        checkpoint["training"] = {"seed": self._seed, **self._clips}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember it."""
        self._restored = checkpoint.get("training")

    def configure_callbacks(self) -> list[pl.Callback]:
        """What happens to videos that cannot be decoded is part of every run."""
        return [FailurePolicy()]

    def on_train_start(self) -> None:
        """A resumed training draws as it would have gone on to, or is refused where its batches are others.

        Not at the start of the fit: some strategies restore a checkpoint only after it.
        """
        seed = (self._restored or {}).get("seed")
        self._seed = self.trainer.strategy.broadcast(torch.initial_seed() if seed is None else seed)
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        in_epoch = progress.current.ready > 0 and not progress.is_last_batch
        check_clips(self._restored or {}, self._clips, in_epoch=in_epoch)

    def on_test_epoch_start(self) -> None:
        self._results = ResultCollection()

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """All clips of each video -> one probability vector a video."""
        for failed in batch.failed:
            self._results.add(
                VideoResult(failed.position, failed.path, failed.label, error=failed.error, decoded=False)
            )
        for sample in batch.samples:
            self._results.add(self._test_video(sample))

    def on_test_epoch_end(self) -> None:
        """Join the results of all processes in the first, which writes them and logs the accuracies."""
        self._results.join()
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        folder = Path(self.results_dir or self.trainer.log_dir or self.trainer.default_root_dir)
        if self.trainer.is_global_zero:
            about = {**data.describe_test(), "model": {key: self.hparams[key] for key in CONTRACT}}
            about |= {"seed": torch.initial_seed(), "checkpoint": self.trainer.ckpt_path, "training": self._restored}
            summary = write_results(
                folder, self._results, classes=self.class_names, expected=data.num_test_videos(), about=about
            )
            _log.info("results written to %s", folder / "results.json")
            for over in ("over_all", "over_decodable"):
                for metric in ("top1", "top5"):
                    if summary[over][metric] is not None:
                        self.log(f"test/{metric}_{over}", summary[over][metric], rank_zero_only=True)
        del self._results  # and its file

    def clip_probabilities(self, sample: Sample) -> Tensor:
        """Probabilities of each clip of a decoded video, its crops averaged; a few views go through at a time.

        Args:
            sample: a video whose frames are on this module's device.

        Returns:
            float32 (number of clips, K).

        Raises:
            ValueError: the network gives logits that are not finite.
        """
        chunks = view_chunks(sample, self.hparams["clips_per_forward"])
        probabilities = [clip_probabilities(self.net(self._normalise(views))) for views in chunks]
        per_view = torch.cat(probabilities)  # (clips * crops, K)
        return per_view.unflatten(0, (-1, len(sample.crops))).mean(dim=1)  # (clips, K)

    def configure_optimizers(self) -> Any:
        """SGD with Nesterov momentum; the rate is scaled by the batch and changes at every step."""
        trainer = self.trainer
        trainer.fit_loop.setup_data()  # where steps end the training, the next line would not
        total, position = course(trainer)
        loader: Any = trainer.train_dataloader
        together = loader.batch_size * trainer.world_size
        batch = together * trainer.accumulate_grad_batches
        self._clips = {"clips_per_batch": together, "clips_per_step": batch}
        hparams = self.hparams
        lr = scaled_learning_rate(
            hparams["lr"], batch=batch, base_batch=hparams["base_batch"], scaling=hparams["scaling"]
        )
        optimizer = torch.optim.SGD(
            parameter_groups(self.net, hparams["weight_decay"]),
            lr=lr,
            momentum=hparams["momentum"],
            nesterov=hparams["momentum"] > 0,
        )
        factor = make_schedule(
            hparams["schedule"],
            total_steps=total,
            warmup=hparams["warmup"],
            milestones=hparams["milestones"],
            gamma=hparams["lr_gamma"],
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(position(step)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Every view of every video of a batch through the network, with the labels, as in training and validation.

        Args:
            batch: at least one decoded video, one view each, on this module's device.

        Returns:
            Logits (B, K, T', H', W') and int64 labels (B,).
        """
        clips = views_of(*batch.samples)  # (B, C, T, H, W)
        labels = torch.tensor([sample.label for sample in batch.samples]).to(clips.device, non_blocking=True)
        return self.net(self._normalise(clips)), labels

    def _normalise(self, clips: Tensor) -> Tensor:
        return normalise(clips, self.input_mean, self.input_std)

    def _test_video(self, sample: Sample) -> VideoResult:
        short = is_short(sample.num_frames, clip_length=self.hparams["clip_length"], interval=self.hparams["interval"])
        try:
            clips = self.clip_probabilities(sample)
        except ValueError as error:
            return VideoResult(sample.position, sample.path, sample.label, error=str(error), short=short)
        return score_video(
            sample.position,
            sample.path,
            sample.label,
            clips,
            starts=sample.starts,
            short=short,
            keep_clips=self.save_clip_probabilities,
        )


def _accuracy(num_classes: int, top_k: int) -> MulticlassAccuracy:
    # The default average, macro, weighs rare classes more; the published numbers are over videos.
    return MulticlassAccuracy(num_classes=num_classes, top_k=top_k, average="micro")


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Logits (B, K, T', H', W') and labels (B,): every position is asked for the video's class."""
    return F.cross_entropy(logits, labels[:, None, None, None].expand(-1, *logits.shape[2:]))
