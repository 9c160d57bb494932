"""Which videos share a forward pass, and in which order their predictions come."""

from __future__ import annotations

import random

import pytest
import torch

from videogn.axes import Crop, Sample
from videogn.inference.passes import in_passes
from videogn.inference.prediction import Prediction


def _sample(number: int, width: int | None) -> Sample:
    """A video of 3 clips x 2 crops of a width, or a failed one."""
    if width is None:
        return Sample(number, str(number), -1, error="damaged")
    crops = (Crop(0, 0, 4, width), Crop(0, 2, 4, width))
    return Sample(number, str(number), -1, torch.zeros(5, 4, width + 2, 3), torch.zeros(3, 2, dtype=torch.long), crops)


def _failed(sample: Sample) -> Prediction:
    return Prediction.failed(sample, str(sample.error))


class _Network:
    """Notes its passes."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []

    def __call__(self, samples):
        assert len({sample.crops for sample in samples}) == 1
        self.passes.append([sample.position for sample in samples])
        return [Prediction(sample.path) for sample in samples]


def _run(widths, videos_at_once, network=None):
    network = network or _Network()
    samples = (_sample(number, width) for number, width in enumerate(widths))
    found = list(in_passes(samples, network, lambda shape: videos_at_once, _failed))
    assert [prediction.path for prediction in found] == [str(number) for number in range(len(widths))]
    assert [prediction.error for prediction in found] == ["damaged" if width is None else None for width in widths]
    return network.passes


@pytest.mark.parametrize(
    ("widths", "videos_at_once", "passes"),
    [
        ([8] * 5, 1, [[0], [1], [2], [3], [4]]),
        ([8] * 5, 2, [[0, 1], [2, 3], [4]]),
        ([8] * 3, 9, [[0, 1, 2]]),
        ([8, 9, 8, 9], 4, [[0, 2], [1, 3]]),  # another shape is another pass
        ([8, 9, 9, 8, 8], 3, [[0], [1, 2], [3, 4]]),  # the oldest goes when three wait
        ([8, None, 8, None], 2, [[0], [2]]),  # a failed one takes a place, so that no more than two ever wait
        ([None, None], 2, []),
        ([], 2, []),
    ],
)
def test_passes(widths, videos_at_once, passes):
    assert _run(widths, videos_at_once) == passes


@pytest.mark.parametrize("seed", range(20))
def test_every_video_is_scored_once_in_a_pass_of_its_shape(seed):
    rng = random.Random(seed)
    widths = [rng.choice([8, 8, 9, 12, None]) for _ in range(rng.randrange(40))]
    at_once = rng.randint(1, 5)
    passes = _run(widths, at_once)
    assert sorted(number for some in passes for number in some) == [n for n, width in enumerate(widths) if width]
    assert all(len(some) <= at_once for some in passes)


def test_no_more_videos_wait_than_fit_in_a_pass():
    taken = []

    def samples():
        for number in range(50):
            taken.append(number)
            yield _sample(number, (8, None, 9, None)[number % 4])

    for number, _ in enumerate(in_passes(samples(), _Network(), lambda shape: 4, _failed)):
        assert len(taken) <= number + 4


def test_the_size_of_a_pass_depends_on_the_shape():
    network = _Network()
    samples = (_sample(number, width) for number, width in enumerate([8, 8, 40, 40, 8]))
    list(in_passes(samples, network, lambda shape: 3 if shape.width == 8 else 1, _failed))
    assert network.passes == [[0, 1], [2], [3], [4]]
    shapes = []
    list(in_passes([_sample(0, 8)], network, lambda shape: shapes.append(shape) or 1, _failed))
    assert set(shapes) == {(6, 2, 4, 8)}  # views, frames, height, width
