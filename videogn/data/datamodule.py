"""Data module: from an index of videos to loaders of batches."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from numpy.typing import NDArray

from videogn.checks import check_choice, require_at_least, require_positive
from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    VAL_FRACTION,
    DecoderName,
    EvaluationViews,
    LeaksName,
    MultigridName,
    SamplingName,
    ValViewName,
)
from videogn.data.class_sampling import about_draws, draw_probabilities
from videogn.data.dataset import VideoDataset
from videogn.data.failures import Failures
from videogn.data.handover import check_space
from videogn.data.inspection import check_splits, inspect_classes, inspect_splits
from videogn.data.loader import STATEFUL, VideoLoader, video_loader
from videogn.data.multigrid import Multigrid
from videogn.data.plans import ViewPlan, centre_plan, described, evaluation_plan, training_plan
from videogn.data.run_end import EndsDecoding
from videogn.data.run_order import continued
from videogn.data.sampler import VideoSampler
from videogn.data.training_loader import training_loader
from videogn.data.usable import refuse_unusable, without_missing
from videogn.data.video_index import VideoIndex
from videogn.system.ranks import rank, shared_seed, world_size
from videogn.video.crops import resized_crop
from videogn.video.decoders.cache import FrameCache, cache_size
from videogn.video.decoders.frame_source import Opener
from videogn.video.decoders.guard import video_guard
from videogn.video.decoders.readers import check_decoder

_log = logging.getLogger(__name__)


class VideoDataModule(EndsDecoding):
    """Videos of a folder, a list or Kinetics: one clip per video for training, several for testing.

    Args:
        root: Folder of the data set with train and val in it (`train.csv`, `train.txt` or `train/`), or with one folder
            per class, which is then divided; or an index written by `videogn data index`, which names broken videos
            beforehand.
        train: Training videos outside `root`: class folders, a list of videos (lines of "path label", a CSV, the
            official list of a data set), an index or shards.
        val: Validation videos outside `root`, in the same forms.
        test: Test videos outside `root`, in the same forms. Default: the validation videos.
        val_fraction: Share of each class held out for validation where `root` holds class folders only.
        class_names: Class names in the order of the class numbers. Default: the sorted names of the training videos.
        allow_empty_classes: Train although more than half of the classes have no usable training video.
        leaks: What to do about videos that are in two splits, listed twice or under two labels: `warn` or `error`.
        sampling: How often classes of uneven size are drawn in training: `instance` (every video once an epoch),
            `class_balanced` (all classes alike) or `square_root` (by the root of their numbers of videos; both with
            replacement, as many draws an epoch as there are videos).
        batch_size: Number of clips per device in training.
        eval_batch_size: Number of videos per device in validation. Default: `batch_size`.
        num_workers: Number of loader processes per device, also where it exceeds the number of cores. 0 decodes in the
            training process.
        multigrid: Cycles of multigrid training (Wu et al. 2020): `long`, `short` or `both`. Clip length, crop and batch
            change from step to step at equal cost; `batch_size` counts full-size clips. Default: batches of one shape.
        train_short_sides: Smallest and largest shorter side in training, in pixels; uniform for each clip.
        random_resized_crop: Smallest and largest share of a frame's area that a training clip shows, for instance
            [0.08,1], resized to `crop_size` whatever its aspect ratio, in place of `train_short_sides`: torchvision's
            RandomResizedCrop, alike for all frames of a clip.
        random_resized_crop_ratio: Smallest and largest ratio of width to height of that part. Default: 3/4 and 4/3.
        flip: Probability of mirroring a training clip. Use 0 where left and right are different classes.
        val_view: Clip of validation: "center" (middle of video and frame) or "augmented" (drawn as in training, the
            same in every epoch: the curve of the GN paper's Figure 7).
        decoder: Decoder: `auto` (PyAV), `pyav`, `decord` or `torchcodec`. PyAV takes the place of another one on files
            where that is not exact; one line counts them.
        frame_rate: Frames per second of videos that are folders of numbered images, which state none.
        cache: Memory for decoded videos in each loader process, such as 2GiB (frames x height x width x 3 bytes per
            video). Useful for small data sets of small videos; 0 keeps none.
        time_limit: Seconds that a small video may take to decode; a long or large one has more. A slower one counts as
            failed, and its decoder, a process of its own, is replaced. With 0 the loader process decodes, and a decoder
            that hangs stops everything.
        max_failures: Share of an epoch's videos that may fail, at least one video unless it is 0. With more failures a
            training run ends; a validation or test goes on to its results and exits with status 1.
        use_truncated: Use the readable frames of videos that an index calls truncated.
        columns: Columns of a list by their names, or numbers from 1, where it is not clear which is which:
            `path=video_name,label=tag`. Parts of videos have `start_time` and `end_time` in seconds, or `start_frame`
            and `end_frame`.
        seed: Seed of the division and of the augmented validation clips.
        **views: Fields of `videogn.choices.EvaluationViews`: what the network sees, and the test protocol.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If a name, a number or an index is wrong.
    """

    def __init__(
        self,
        root: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        val_fraction: float = VAL_FRACTION,
        class_names: list[str] | None = None,
        allow_empty_classes: bool = False,
        leaks: LeaksName = "warn",
        sampling: SamplingName = "instance",
        batch_size: int = 8,
        eval_batch_size: int | None = None,
        num_workers: int = 2,
        multigrid: MultigridName | None = None,
        train_short_sides: tuple[int, int] = (256, 320),
        random_resized_crop: tuple[float, float] | None = None,
        random_resized_crop_ratio: tuple[float, float] | None = None,
        flip: float = 0.5,
        val_view: ValViewName = "center",
        decoder: DecoderName = "auto",
        frame_rate: float = FRAME_RATE,
        cache: str | int | bool = "0",
        time_limit: float = TIME_LIMIT,
        max_failures: float = 0.05,
        use_truncated: bool = False,
        columns: str | None = None,
        seed: int = 0,
        **views: Any,
    ) -> None:
        super().__init__()
        self.views = EvaluationViews(**views)
        check_choice("val_view", val_view, get_args(ValViewName))
        check_choice("leaks", leaks, get_args(LeaksName))
        check_choice("multigrid", multigrid or "both", get_args(MultigridName))
        self.multigrid = multigrid
        self.multigrid_steps: Multigrid | None = None  # whoever knows the length of the training run plans them
        check_choice("sampling", sampling, get_args(SamplingName))
        check_decoder(decoder)
        cache_bytes = cache_size(cache)
        self.batch_size = batch_size
        self.eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        for name in ("batch_size", "eval_batch_size"):
            require_positive(name, getattr(self, name))
        for name, value in {"num_workers": num_workers, "seed": seed, "time_limit": time_limit}.items():
            require_at_least(name, value, 0)
        if not 0 <= max_failures <= 1:
            raise ValueError(f"max_failures must be a share of the videos, 0 to 1, got {max_failures}")
        part = resized_crop(random_resized_crop, random_resized_crop_ratio)
        for name, side in (("train_short_sides", train_short_sides[0]), ("short_side", self.views.short_side)):
            if 0 < side < self.views.crop_size and not (part and name == "train_short_sides"):
                raise ValueError(f"crop_size must be in 1..{side} ({name}), got {self.views.crop_size}")
        self._training_plan = functools.partial(
            training_plan, self.views, short_sides=train_short_sides, flip=flip, resized_crop=part
        )
        # Not for `--help` and refused options, which need not know how data sets are laid out.
        from videogn.data.lists.columns import parse_columns
        from videogn.data.splits import read_splits, source_of_test

        as_in_training = self._training_plan()  # in any case: it refuses what is out of range
        self._val_plan = as_in_training if val_view == "augmented" else centre_plan(self.views)
        self._test_plan = evaluation_plan(self.views)
        read: dict[str, Any] = {"val_fraction": val_fraction, "seed": seed, "use_truncated": use_truncated}
        sources = {"train": train, "val": val, "test": test}
        self.splits = read_splits(root, sources, class_names=class_names, columns=parse_columns(columns), **read)
        check_splits(self.splits, sampling=sampling, clip_length=self.views.clip_length)
        read |= {"columns": columns, "frame_rate": frame_rate, "time_limit": time_limit}
        self._test_source = source_of_test(self.splits, root, {"val": val, "test": test}, read)
        self.class_names = list(next(iter(self.splits.values())).classes)
        _warn(inspect_splits(self.splits, leaks=leaks, given_classes=class_names is not None))
        # How `training_classes` judges; None when it has.
        self._emptiness: dict[str, bool] | None = {"given": class_names is not None, "allowed": allow_empty_classes}
        self.num_workers = num_workers
        self.decoder = decoder
        self.max_failures = max_failures
        self.sampling = sampling
        self.seed = seed
        # Shared by all loaders: where this process decodes it needs one decoding process, and a worker gets its own.
        self.guard = video_guard(time_limit, frame_rate)
        # Training and validation share one cache of `cache_bytes`.
        self.caches = cache_bytes > 0
        self._kept_opener = FrameCache(cache_bytes, self.guard.open).open if self.caches else self.guard.open
        self._usable: VideoIndex | None = None
        self._order: dict[str, Any] | None = None  # of the training videos, as begun or as a checkpoint says

    def setup(self, stage: str) -> None:
        """Refuse to start where loader processes cannot; look for classes without a training video."""
        check_space(self.num_workers, loaders=2 if stage == "fit" and "val" in self.splits else 1)
        if stage != "fit":
            return
        self._look_for_empty_classes()
        if not STATEFUL and rank() == 0:
            _log.warning(
                "torchdata is not installed: plain loaders. `videogn fit` resumes in the middle of an epoch all the "
                "same; a training loop of your own starts the epoch again"
            )

    @property
    def training_classes(self) -> list[str]:
        """Class names for a training run; at the first time, those without a usable training video are named.

        The command line takes the names of a network from here: a refusal comes before the network is built.

        Raises:
            ValueError: If more than half of the classes have none, unless they were given or that is allowed.
        """
        self._look_for_empty_classes()
        return self.class_names

    def train_dataloader(self) -> VideoLoader:
        """Make the loader of random clips in random order. An incomplete last batch is dropped, since norms see it.

        In a trainer it continues where the trainer's count of batches stands.
        """
        videos = len(self._training())
        if self._order is None:
            self._order = {"seed": shared_seed(), "videos": videos, "sampling": self.sampling}
        if self.sampling != "instance" and rank() == 0:
            _log.info("%s", about_draws(self._training(), self.sampling))
        trainer: Any = self.trainer
        overfits = trainer is not None and trainer.overfit_batches > 0
        loader = self.training_loader(self._order["seed"], same_order=overfits, multigrid=self.multigrid_steps)
        if self.trainer is not None:
            loader.seed_of_order = self._seed_of_order
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            loader.trained_batches = lambda: progress.current.ready
        return loader

    def training_loader(
        self, seed: int, *, same_order: bool = False, multigrid: Multigrid | None = None
    ) -> VideoLoader:
        """Make a loader of training batches that is independent of the trainer's.

        Args:
            seed: Seed of the order and of the clips.
            same_order: Whether all epochs have the same batches of videos. Default: False.
            multigrid: Steps of multigrid training. Default: None, batches of base clips.

        Returns:
            A loader at the beginning of epoch 0; `sampler.set_epoch` selects another epoch.

        Raises:
            ValueError: If there are no training videos, fewer than a batch, or some without a label.
        """
        if (share := self.training_share) < self.batch_size:
            raise ValueError(f"batch_size must be <= {share}, the training videos of a process, got {self.batch_size}")
        index, plan_of = self._training(), self._training_plan
        order = {"seed": seed, "probabilities": draw_probabilities(index, self.sampling), "same_order": same_order}
        sizes: dict[str, Any] = {"batch_size": self.batch_size, "num_workers": self.num_workers, "multigrid": multigrid}
        loading: dict[str, Any] = {"decoder": self.decoder, "opener": self._kept_opener}
        return training_loader(index.records, plan_of, order=order, **sizes, **loading)

    @property
    def training_share(self) -> int:
        """Number of usable training videos of a process."""
        return len(self._training()) // world_size()

    @property
    def several_labels(self) -> bool:
        """Whether a video may show several classes, or none."""
        return next(iter(self.splits.values())).several_labels

    def training_counts(self) -> tuple[NDArray[np.int64], int]:
        """Count the usable training videos of each class, (K,), and all of them."""
        return self._training().counts(), len(self._training())

    def val_dataloader(self) -> VideoLoader | list[Any]:
        """Make the loader of one clip per video, or return [] where there are no validation videos."""
        if "val" not in self.splits:
            return []
        return self._evaluation_loader(self._labelled("val"), self._val_plan, self.eval_batch_size, self._kept_opener)

    def test_dataloader(self) -> VideoLoader:
        """Make the loader of all clips of a video as one sample."""
        return self._evaluation_loader(self._split("test"), self._test_plan, 1, self.guard.open)

    def failures(self, split: str) -> Failures:
        """Start counting the failed videos of a split against the budget of `max_failures`."""
        kind = {"train": "training", "val": "validation", "test": "test"}[split]
        videos = self._training() if split == "train" else self.splits.get(split, ())
        return Failures(kind, len(videos), self.max_failures)

    def state_dict(self) -> dict[str, Any]:
        """Return what the order of the training videos depends on, for a checkpoint."""
        return {} if self._order is None else {"order": self._order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the order of the training run that is resumed."""
        self._order = state.get("order", self._order)

    def describe_test(self) -> dict[str, Any]:
        """Describe the data of a test for its results: the protocol, the decoder and the hash of the index."""
        return {
            "protocol": described(self.views),
            "decoder": self.decoder,
            "index_sha256": self._split("test").fingerprint(),
            "videos_from": self._test_source,
        }

    def num_test_videos(self) -> int:
        """Return the number of videos in the test index, including those that cannot be decoded."""
        return len(self._split("test"))

    def _look_for_empty_classes(self) -> None:
        if self._emptiness is not None and "train" in self.splits:
            self.splits["train"] = self.splits["train"].asked()
            refuse_unusable(self.splits["train"], "train")
            _warn(inspect_classes(self.splits["train"], **self._emptiness))
            self._emptiness = None

    def _split(self, split: str) -> VideoIndex:
        if split not in self.splits:
            raise ValueError(f"there are no {split} videos: set --data.{split}, or put them into --data.root")
        return self.splits[split]

    def _labelled(self, split: str) -> VideoIndex:
        index = self._split(split)
        if (unlabelled := index.unlabelled()) is not None:
            raise ValueError(f"every {split} video needs a label; {unlabelled.path} is without a class")
        return index

    def _training(self) -> VideoIndex:
        """Return the usable training videos; the others are logged once."""
        if self._usable is None:
            self._usable = without_missing(self._labelled("train"), "train")
        return self._usable

    def _seed_of_order(self) -> int:
        """Return the seed that the run began with, whatever seed this process has."""
        assert self._order is not None
        self._order = continued(self._order, videos=len(self._training()), sampling=self.sampling)
        return self._order["seed"]

    def _evaluation_loader(self, index: VideoIndex, plan: ViewPlan, batch_size: int, opener: Opener) -> VideoLoader:
        dataset = VideoDataset(index.records, plan, decoder=self.decoder, seed=self.seed, opener=opener)
        sampler = VideoSampler(len(index), shuffle=False)
        return video_loader(dataset, sampler, batch_size=batch_size, num_workers=self.num_workers)


@rank_zero_only  # also before the processes know one another
def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        _log.warning("%s", line)
