"""Index -> data sets -> loaders of batches."""

from __future__ import annotations

import logging
from typing import Any

import lightning.pytorch as pl

from videogn.checks import check_choice
from videogn.data.dataset import VideoDataset
from videogn.data.failures import Failures
from videogn.data.loader import STATEFUL, VideoLoader, video_loader
from videogn.data.plans import ViewPlan, centre_plan, evaluation_plan, training_plan
from videogn.data.sampler import VideoSampler
from videogn.data.splits import read_splits
from videogn.data.usable import without_missing
from videogn.data.video_index import VideoIndex
from videogn.system.ranks import rank, shared_seed, world_size
from videogn.system.sizes import parse_size
from videogn.video.clips import PROTOCOLS
from videogn.video.crops import CROPS
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.readers import check_decoder

_log = logging.getLogger(__name__)

_VAL_VIEWS = ("center", "augmented")


class VideoDataModule(pl.LightningDataModule):
    """Videos of a folder, a list or Kinetics, as clips for training and as several clips a video for testing.

    Args:
        root: the data set's folder, with train and val in it (`train.csv`, `train.txt` or `train/`), or class folders
            only, which are then divided; or an index of `videogn data index`, which says what is broken beforehand.
        train: training videos, where they are elsewhere: class folders, a Kinetics CSV or "path label" lines.
        val: validation videos, likewise.
        test: test videos, likewise; the validation videos by default.
        val_fraction: part of each class held out for validation when `root` holds class folders only.
        class_names: class names in the order of their numbers; by default the sorted names of the training videos.
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        crop_size: side of the square training crop, pixels.
        short_side: shorter side of the frames in evaluation, pixels.
        batch_size: clips per device in training.
        eval_batch_size: videos per device in validation; by default `batch_size`.
        num_workers: loader processes per device; 0 decodes in the training process.
        train_short_sides: smallest and largest shorter side in training, pixels; drawn uniformly for each clip.
        flip: probability of mirroring a training clip; 0 where left and right are different classes.
        val_view: the one clip of validation: "center" (middle of video and frame) or "augmented" (drawn as in training,
            the same at every epoch: the curve of the GN paper's Figure 7).
        num_clips: clips per video in testing.
        protocol: where they start: nonlocal, slowfast or endpoint.
        crops: what of the frame is tested: full, three_crop or center.
        decoder: auto (which is PyAV), pyav, decord or torchcodec.
        cache: memory for decoded videos, such as 2GiB, in each loader process (frames x height x width x 3 bytes a
            video): for small data sets of small videos; 0 keeps none.
        time_limit: seconds that a video may take to decode; longer, and it counts as failed, and its decoder, a process
            of its own, is replaced. 0 decodes in the loader process, where a decoder that hangs stops everything.
        max_failures: the part of an epoch's videos that may fail, one at least unless it is 0. A training ends when
            there are more; a validation or test goes on to its results and exits with status 1.
        use_truncated: take the frames that are there of videos that an index calls truncated.
        seed: of the division and of the augmented validation clips.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a name or number is wrong, or an index is.
    """

    def __init__(
        self,
        root: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        val_fraction: float = 0.2,
        class_names: list[str] | None = None,
        clip_length: int = 32,
        interval: int = 2,
        crop_size: int = 224,
        short_side: int = 256,
        batch_size: int = 8,
        eval_batch_size: int | None = None,
        num_workers: int = 2,
        train_short_sides: tuple[int, int] = (256, 320),
        flip: float = 0.5,
        val_view: str = "center",
        num_clips: int = 10,
        protocol: str = "nonlocal",
        crops: str = "full",
        decoder: str = "auto",
        cache: str | int | bool = "0",
        time_limit: float = 60.0,
        max_failures: float = 0.05,
        use_truncated: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_choice("val_view", val_view, _VAL_VIEWS)
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("crops", crops, CROPS)
        check_decoder(decoder)
        cache_bytes = _cache_size(cache)
        _check_sizes(crop_size, short_side, train_short_sides)
        eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value <= 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        for name, least in {"num_workers": num_workers, "seed": seed, "time_limit": time_limit}.items():
            if not least >= 0:  # nan is neither
                raise ValueError(f"{name} must be >= 0, got {least:g}")
        if not 0 <= max_failures <= 1:
            raise ValueError(f"max_failures must be a part of the videos, 0 to 1, got {max_failures}")
        augmented = training_plan(
            clip_length=clip_length, interval=interval, short_sides=train_short_sides, crop_size=crop_size, flip=flip
        )
        centre = centre_plan(clip_length=clip_length, interval=interval, short_side=short_side, crop_size=crop_size)
        self._train_plan = augmented
        self._val_plan = augmented if val_view == "augmented" else centre
        self._test_plan = evaluation_plan(
            clip_length=clip_length,
            interval=interval,
            num_clips=num_clips,
            protocol=protocol,
            short_side=short_side,
            crop_size=crop_size,
            crops=crops,
        )
        self._test_protocol = {
            "clips": num_clips,
            "starts": protocol,
            "crops": crops,
            "short_side": short_side,
            "clip_length": clip_length,
            "interval": interval,
        }
        self.splits = read_splits(
            root,
            {"train": train, "val": val, "test": test},
            val_fraction=val_fraction,
            class_names=class_names,
            seed=seed,
            use_truncated=use_truncated,
        )
        # Results say which videos they are about: the test videos may be the validation ones, or a part held out.
        own_test = self.splits.get("test") is not self.splits.get("val")
        self._test_source = {"split": "test" if own_test else "val", "root": root, "given": test if own_test else val}
        self.class_names = list(next(iter(self.splits.values())).classes)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.decoder = decoder
        self.max_failures = max_failures
        self.seed = seed
        # One for all loaders: where this process decodes, it needs one decoding process, and a worker gets its own.
        self._opener: Opener = VideoGuard(time_limit).open if time_limit > 0 else open_video
        # And one memory for training and validation, which `cache` is the size of.
        self._kept_opener = FrameCache(cache_bytes, self._opener).open if cache_bytes else self._opener
        self._usable: VideoIndex | None = None
        self._order: dict[str, int] | None = None  # of the training videos, as begun or as a checkpoint says

    def setup(self, stage: str) -> None:
        """Say what is missing."""
        if stage == "fit" and not STATEFUL and rank() == 0:
            _log.warning(
                "torchdata is not installed: plain loaders. `videogn fit` resumes in the middle of an epoch all the "
                "same; a training loop of your own starts the epoch again"
            )

    def train_dataloader(self) -> VideoLoader:
        """Random clips in random order; an incomplete last batch is dropped, since norms see it.

        In a trainer it goes on where the trainer's count of batches stands.
        """
        videos = len(self._training())
        if self._order is None:
            self._order = {"seed": shared_seed(), "videos": videos}
        loader = self.training_loader(self._order["seed"])
        if self.trainer is not None:
            loader.seed_of_order = self._seed_of_order
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            loader.trained_batches = lambda: progress.current.ready
        return loader

    def training_loader(self, seed: int) -> VideoLoader:
        """Training batches in an order of their own.

        Args:
            seed: of the order and of the clips.

        Returns:
            A loader from the beginning of epoch 0; its `sampler.set_epoch` decides about another.

        Raises:
            ValueError: there are no training videos, too few, or some without a label.
        """
        records = self._training().records
        share = len(records) // world_size()
        if share < self.batch_size:
            raise ValueError(f"batch_size must be <= {share}, the training videos of a process, got {self.batch_size}")
        dataset = VideoDataset(
            records, self._train_plan, decoder=self.decoder, seed=seed, replace_failed=True, opener=self._kept_opener
        )
        sampler = VideoSampler(len(records), shuffle=True, seed=seed)
        return video_loader(dataset, sampler, batch_size=self.batch_size, num_workers=self.num_workers, drop_last=True)

    def val_dataloader(self) -> VideoLoader | list[Any]:
        """One clip a video; no loader at all where there are no validation videos."""
        if "val" not in self.splits:
            return []
        return self._evaluation_loader(self._labelled("val"), self._val_plan, self.eval_batch_size, self._kept_opener)

    def test_dataloader(self) -> VideoLoader:
        """All clips of a video as one sample."""
        return self._evaluation_loader(self._split("test"), self._test_plan, 1, self._opener)

    def failures(self, split: str) -> Failures:
        """A count, at 0, of the videos of a split that fail, with the budget of `max_failures`."""
        kind = {"train": "training", "val": "validation", "test": "test"}[split]
        videos = self._training() if split == "train" else self.splits.get(split, ())
        return Failures(kind, len(videos), self.max_failures)

    def state_dict(self) -> dict[str, Any]:
        """What the training's order depends on, for a checkpoint."""
        return {} if self._order is None else {"order": self._order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the order of the training that goes on."""
        self._order = state.get("order", self._order)

    def describe_test(self) -> dict[str, Any]:
        """What a test result must say about its data: the protocol and the hash of the index."""
        return {
            "protocol": self._test_protocol,
            "decoder": self.decoder,
            "index_sha256": self._split("test").fingerprint(),
            "videos_from": self._test_source,
        }

    def num_test_videos(self) -> int:
        """Videos in the test index, those that cannot be decoded included."""
        return len(self._split("test"))

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
        """The training videos but those that are known to be unusable, which is said once."""
        if self._usable is None:
            self._usable = without_missing(self._labelled("train"), "train")
        return self._usable

    def _seed_of_order(self) -> int:
        """A resumed training keeps the order of its beginning, whatever this process was seeded with."""
        assert self._order is not None
        before, videos = self._order["videos"], len(self._training())
        if before != videos:
            self._order = {**self._order, "videos": videos}
            if rank() == 0:
                _log.warning("%d training videos, %d when it began: it goes on in another order", videos, before)
        return self._order["seed"]

    def _evaluation_loader(self, index: VideoIndex, plan: ViewPlan, batch_size: int, opener: Opener) -> VideoLoader:
        dataset = VideoDataset(index.records, plan, decoder=self.decoder, seed=self.seed, opener=opener)
        sampler = VideoSampler(len(index), shuffle=False)
        return video_loader(dataset, sampler, batch_size=batch_size, num_workers=self.num_workers)


def _cache_size(cache: str | int | bool) -> int:
    """Bytes; false is what YAML makes of "off" and "no"."""
    try:
        return parse_size(0 if str(cache).lower() == "false" else cache)
    except ValueError:
        raise ValueError(f"cache must be a size such as 2GiB or 500MB, or 0 for none, got {cache!r}") from None


def _check_sizes(crop_size: int, short_side: int, train_short_sides: tuple[int, int]) -> None:
    smallest, largest = train_short_sides
    if not 0 < smallest <= largest:
        raise ValueError(
            f"train_short_sides must be smallest, largest with 0 < smallest <= largest, got {train_short_sides}"
        )
    for name, side in (("train_short_sides", smallest), ("short_side", short_side)):
        if not 0 < crop_size <= side:
            raise ValueError(f"crop_size must be in 1..{side} ({name}), got {crop_size}")
