"""The loader of training videos: batches of one shape, or those of multigrid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from videogn.axes import VideoRecord
from videogn.data.dataset import VideoDataset
from videogn.data.loader import VideoLoader, video_loader
from videogn.data.plans import ViewPlan
from videogn.data.sampler import VideoSampler

if TYPE_CHECKING:
    from videogn.data.multigrid import Multigrid


def training_loader(
    records: Sequence[VideoRecord],
    plan_of: Callable[..., ViewPlan],
    *,
    batch_size: int,
    num_workers: int,
    order: Mapping[str, Any],
    multigrid: Multigrid | None = None,
    **loading: Any,
) -> VideoLoader:
    """Make a loader of training batches.

    Args:
        records: Usable training videos.
        plan_of: Function from a shape of multigrid (keyword `shape`, by default the base clips) to a plan.
        batch_size: Number of base clips in a batch.
        num_workers: Number of loader processes.
        order: Seed, probabilities and same_order of VideoSampler.
        multigrid: Steps of multigrid training. Default: None, batches of one shape without an incomplete last one.
        **loading: Options of VideoDataset.

    Returns:
        A loader at the beginning of epoch 0.
    """
    loading = {**loading, "seed": order["seed"], "replace_failed": True}
    if multigrid is not None:
        from videogn.data.shaped_batches import ShapedBatchSampler, ShapedVideos

        dataset: VideoDataset = ShapedVideos(records, plan_of, **loading)
        sampler: VideoSampler = ShapedBatchSampler(len(records), multigrid, **order)
        return video_loader(dataset, sampler, batch_size=batch_size, num_workers=num_workers, multigrid=multigrid)
    dataset = VideoDataset(records, plan_of(), **loading)
    sampler = VideoSampler(len(records), shuffle=True, **order)
    return video_loader(dataset, sampler, batch_size=batch_size, num_workers=num_workers, drop_last=True)
