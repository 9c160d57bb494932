"""Sampling by class: its probabilities by the definition, its draws counted, its clips all different."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from videogn.axes import VideoRecord
from videogn.choices import SamplingName
from videogn.data.class_sampling import EXPONENTS, about_draws, draw_probabilities
from videogn.data.records import Records
from videogn.data.sampler import Draw, VideoSampler
from videogn.data.video_index import VideoIndex

#: Videos of each class; the last has none.
COUNTS = (1, 4, 25, 0)


def _index() -> VideoIndex:
    labels = [number for number, count in enumerate(COUNTS) for _ in range(count)]
    order = np.random.default_rng(0).permutation(len(labels))
    records = [VideoRecord(f"{place}.mp4", labels[place]) for place in order]
    return VideoIndex(Records.of(records), ("a", "b", "c", "none"), "/data", checked=True)


def _samplers(monkeypatch, processes, **options):
    monkeypatch.setattr("videogn.data.sampler.world_size", lambda: processes)
    for rank in range(processes):
        monkeypatch.setattr("videogn.data.sampler.rank", lambda rank=rank: rank)
        yield VideoSampler(sum(COUNTS), shuffle=True, seed=5, **options)


def _draws(sampler, epoch=0):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_the_names_are_those_of_the_option():
    assert tuple(EXPONENTS) == SamplingName.__args__


@pytest.mark.parametrize("sampling", ["class_balanced", "square_root"])
def test_probabilities_are_those_of_equation_1(sampling):
    """A class by n^q over the sum, then a video of it, each alike."""
    index = _index()
    q = {"class_balanced": 0, "square_root": 1 / 2}[sampling]
    total = sum(n**q for n in COUNTS if n)
    expected = [COUNTS[record.label] ** q / total / COUNTS[record.label] for record in index.records]
    np.testing.assert_allclose(draw_probabilities(index, sampling), expected, rtol=1e-12)


def test_instance_sampling_is_what_it_was():
    assert draw_probabilities(_index(), "instance") is None


@pytest.mark.parametrize(
    ("sampling", "said"), [("class_balanced", "about 10 times"), ("square_root", "about 4 to 19 times")]
)
def test_the_counts_are_said(sampling, said):
    line = about_draws(_index(), sampling)
    assert line.startswith(f"{sampling} sampling: 1 to 25 training videos a class")
    assert said in line


@pytest.mark.parametrize("sampling", ["class_balanced", "square_root"])
def test_classes_are_drawn_with_these_probabilities(monkeypatch, sampling):
    index = _index()
    probabilities = draw_probabilities(index, sampling)
    (sampler,) = _samplers(monkeypatch, 1, probabilities=probabilities)
    drawn = Counter(draw.position for epoch in range(200) for draw in _draws(sampler, epoch))
    observed = [drawn[position] for position in range(len(probabilities))]
    assert chisquare(observed, probabilities * sum(observed)).pvalue > 0.01


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_one_order_and_no_clip_is_drawn_twice(monkeypatch, processes):
    probabilities = draw_probabilities(_index(), "class_balanced")
    dealt = [_draws(sampler, 3) for sampler in _samplers(monkeypatch, processes, probabilities=probabilities)]
    together = [draw for draws in zip(*dealt, strict=True) for draw in draws]
    assert len(set(together)) == len(together) == sum(COUNTS) // processes * processes
    (alone,) = _samplers(monkeypatch, 1, probabilities=probabilities)
    assert together == _draws(alone, 3)
    seen: Counter[int] = Counter()
    for draw in together:
        assert draw == Draw(3, draw.position, seen[draw.position])
        seen[draw.position] += 1
    assert max(seen.values()) > 1


def test_an_epoch_goes_on_where_it_stopped(monkeypatch):
    probabilities = draw_probabilities(_index(), "square_root")
    sampler, resumed = (
        next(_samplers(monkeypatch, 1, probabilities=probabilities)),
        next(_samplers(monkeypatch, 1, probabilities=probabilities)),
    )
    whole = _draws(sampler, 2)
    resumed.load_state_dict({"epoch": 2, "drawn": 11})
    assert list(resumed) == whole[11:]
