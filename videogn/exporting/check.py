"""How far an exported file is from the network it was made of, on random clips and on those of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videogn.axes import Sample
from videogn.choices import EvaluationViews
from videogn.data.lists.segments import named_video
from videogn.data.plans import evaluation_plan
from videogn.data.sample import load_sample
from videogn.evaluation.views import clip_probabilities
from videogn.exporting.graph import ALL_SIZES, Graph
from videogn.video.transforms import view_chunks

#: Largest difference that is accepted, as a share of the largest output, or of 1 if that is smaller.
TOLERANCE = 1e-4
_CLIPS_OF_A_VIDEO = 2


class CheckFailedError(Exception):
    """An exported file does not give what its network gives."""


@dataclass(frozen=True)
class Agreement:
    """How far a file's output is from the network's.

    Attributes:
        clips: Number of clips that were compared.
        max_difference: Largest absolute difference of an output, logit or probability.
        largest: Largest absolute output of the network.
        same_top1: Number of clips with the same best class.
    """

    clips: int
    max_difference: float
    largest: float
    same_top1: int

    @property
    def accepted(self) -> bool:
        """Whether the difference is within `TOLERANCE`; one that is not a number is not."""
        return self.max_difference <= TOLERANCE * max(self.largest, 1.0)


def agreement(graph: Graph, run: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> Agreement:
    """Compare a file with the network.

    Args:
        graph: The graph that the file was made of.
        run: Function from the input of the file to its output.
        batches: Clips, uint8 (B, 3, T, H, W).

    Returns:
        The comparison of all clips.
    """
    clips = same = 0
    difference = largest = 0.0
    for batch in batches:
        wanted = graph.expected(batch)
        try:
            given = run(graph.prepared(batch).contiguous())
        except Exception as error:  # of torch or of the format's own package
            size = " x ".join(map(str, batch.shape[2:]))
            hint = "; --dynamic batch writes a file of one size" if graph.dynamic == ALL_SIZES else ""
            reason = f"{len(batch)} clips of {size}: {first_line(error)}"
            raise CheckFailedError(f"the file does not run on {reason}{hint}") from error
        if wanted.shape != given.shape:
            raise CheckFailedError(f"the file gives {tuple(given.shape)} where the network gives {tuple(wanted.shape)}")
        clips += len(batch)
        same += int((_best(wanted) == _best(given)).sum())
        difference = float(np.maximum(difference, (wanted - given).abs().max()))  # NaN stays NaN
        largest = max(largest, float(wanted.abs().max()))
    return Agreement(clips, difference, largest, same)


def random_clips(graph: Graph, seed: int = 0) -> Iterator[Tensor]:
    """Draw clips of one and of three, and of a larger and wider frame where the size is free.

    Args:
        graph: The graph, for the size.
        seed: Seed. Default: 0.

    Yields:
        Clips, uint8 (B, 3, T, H, W).
    """
    generator = torch.Generator().manual_seed(seed)
    frames, height, width = graph.size
    sizes = [(1, height, width), (3, height, width)]
    if graph.dynamic == ALL_SIZES:
        sizes.append((1, height, width * 4 // 3 + 1))
    for number, rows, columns in sizes:
        yield torch.randint(256, (number, 3, frames, rows, columns), dtype=torch.uint8, generator=generator)


def video_clips(paths: Sequence[str | Path], views: EvaluationViews) -> Iterator[Tensor]:
    """Decode the first clips of videos as a test does.

    Args:
        paths: Video files.
        views: Views of the test.

    Yields:
        Clips, uint8 (B, 3, T, H, W).

    Raises:
        ValueError: A video cannot be decoded.
    """
    plan = evaluation_plan(replace(views, num_clips=min(views.num_clips, _CLIPS_OF_A_VIDEO)))
    for path in paths:
        sample: Sample = load_sample(named_video(str(path)), 0, plan, decoder="auto", rng=np.random.default_rng(0))
        if sample.error is not None:
            raise ValueError(f"{path}: {sample.error}")
        yield from view_chunks(sample, _CLIPS_OF_A_VIDEO)


def first_line(error: Exception) -> str:
    """Return the first line of an error, of which torch writes pages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


def _best(output: Tensor) -> Tensor:
    return (output if output.ndim == 2 else clip_probabilities(output)).argmax(dim=1)
