"""Index -> data sets -> loaders of batches."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler
from torch.utils.data import DataLoader

from videogn.data.dataset import VideoDataset, collate
from videogn.data.index import VideoIndex
from videogn.data.plans import centre_plan, evaluation_plan, training_plan
from videogn.data.splits import read_splits, without_missing
from videogn.names import check_choice
from videogn.processes import world_size
from videogn.video.clips import PROTOCOLS
from videogn.video.crops import CROPS
from videogn.video.decode import DECODERS

_VAL_VIEWS = ("center", "augmented")


class VideoDataModule(pl.LightningDataModule):
    """Videos of a folder, a list or Kinetics, as clips for training and as several clips a video for testing.

    Args:
        root: the data set's folder, with train and val in it (`train.csv`, `train.txt` or `train/`), or class folders
            only, which are then divided.
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
        decoder: auto (decord where it is right, else PyAV), decord or pyav.
        cache: keep decoded videos in memory (frames x height x width x 3 bytes each, per loader process): for small
            data sets of small videos.
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
        cache: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_choice("val_view", val_view, _VAL_VIEWS)
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("crops", crops, CROPS)
        check_choice("decoder", decoder, DECODERS)
        _check_sizes(crop_size, short_side, train_short_sides)
        eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value <= 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        for name, value in (("num_workers", num_workers), ("seed", seed)):
            if value < 0:
                raise ValueError(f"{name} must be >= 0, got {value}")
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
        )
        # Results say which videos they are about: the test videos may be the validation ones, or a part held out.
        own_test = self.splits.get("test") is not self.splits.get("val")
        self._test_source = {"split": "test" if own_test else "val", "root": root, "given": test if own_test else val}
        self.class_names = list(next(iter(self.splits.values())).classes)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.decoder = decoder
        self.cache = cache
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Any]:
        """Random clips in random order; an incomplete last batch is dropped, since norms see it."""
        records = without_missing(self._labelled("train"), "train").records
        share = len(records) // world_size()
        if share < self.batch_size:
            raise ValueError(f"batch_size must be <= {share}, the training videos of a process, got {self.batch_size}")
        dataset = VideoDataset(records, self._train_plan, decoder=self.decoder, replace_failed=True, cache=self.cache)
        return self._loader(dataset, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """One clip a video; no loader at all where there are no validation videos."""
        if "val" not in self.splits:
            return []
        records = self._labelled("val").records
        dataset = VideoDataset(records, self._val_plan, decoder=self.decoder, seed=self.seed, cache=self.cache)
        return self._loader(dataset, self.eval_batch_size)

    def test_dataloader(self) -> DataLoader[Any]:
        """All clips of a video as one sample."""
        dataset = VideoDataset(self._split("test").records, self._test_plan, decoder=self.decoder)
        return self._loader(dataset, batch_size=1)

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
        unknown = next((record.path for record in index.records if record.label is None), None)
        if unknown is not None:
            raise ValueError(f"every {split} video needs a label; {unknown} is without a class")
        return index

    def _loader(self, dataset: VideoDataset, batch_size: int, **options: Any) -> DataLoader[Any]:
        sampler = None
        if not options.get("shuffle") and world_size() > 1:
            # Lightning's own sampler would repeat videos to fill the last batch, and count them twice.
            sampler = UnrepeatedDistributedSampler(dataset, shuffle=False)
            if len(dataset) < world_size():
                raise ValueError(f"{len(dataset)} videos are too few for {world_size()} processes")
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            **options,
        )


def _check_sizes(crop_size: int, short_side: int, train_short_sides: tuple[int, int]) -> None:
    smallest, largest = train_short_sides
    if not 0 < smallest <= largest:
        raise ValueError(
            f"train_short_sides must be smallest, largest with 0 < smallest <= largest, got {train_short_sides}"
        )
    for name, side in (("train_short_sides", smallest), ("short_side", short_side)):
        if not 0 < crop_size <= side:
            raise ValueError(f"crop_size must be in 1..{side} ({name}), got {crop_size}")
