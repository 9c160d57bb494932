"""Saved probabilities: which videos are right with fewer clips."""

from __future__ import annotations

import numpy as np
import pytest
from studies import CLASSES, CLIPS, make_cells, make_probabilities, write_clips, write_study

from videogn.report.clip_counts import ClipFiles, clip_hits, read_hits, spread_clips
from videogn.video.clips import clip_indices


@pytest.mark.parametrize("taken", [1, 2, 5, 10])
@pytest.mark.parametrize("frames", [40, 57, 300])
def test_they_are_the_clips_of_a_shorter_test(frames, taken):
    """Under `nonlocal`, where n divides V."""
    setting = {"clip_length": 4, "interval": 2, "protocol": "nonlocal"}
    all_ten = clip_indices(frames, num_clips=10, **setting)
    assert np.array_equal(all_ten[spread_clips(10, taken)], clip_indices(frames, num_clips=taken, **setting))


def test_spread():
    assert spread_clips(10, 3) == [0, 3, 6]
    assert spread_clips(10, 10) == list(range(10))
    assert spread_clips(10, 1) == [0]


def test_hits_against_a_loop_in_double_precision():
    labels, probabilities = make_probabilities(make_cells()[0])
    hits = clip_hits(probabilities, labels)
    for taken in range(1, CLIPS + 1):
        for video, label in enumerate(labels):
            total = [0.0] * CLASSES
            for j in range(taken):
                clip = int(np.floor(j * CLIPS / taken))
                total = [a + float(b) for a, b in zip(total, probabilities[video, clip], strict=True)]
            assert hits[video, taken - 1] == (max(range(CLASSES), key=total.__getitem__) == label)


def test_all_clips_give_the_accuracy_of_the_test(tmp_path):
    study = write_study(tmp_path / "study", plan=False)
    files = ClipFiles()
    for result in study.results.values():
        hits = files.hits(result)
        assert hits.hits.shape == (200, CLIPS)
        assert hits.correct.mean() == pytest.approx(result.test["over_all"]["top1"], abs=1e-12)
        assert not hits.hits[:3].any()  # failed videos
    assert len({files.hits(result).videos for result in study.results.values()}) == 1


def test_many_videos_unknown_labels_and_failures(tmp_path):
    """More videos than are read at once; those without a label are left out, those that failed are wrong."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), size=(2500, 3)).astype(np.float32)
    labels = rng.integers(-1, 4, size=2500)
    failed = set(range(0, 2500, 7))
    write_clips(tmp_path / "clips.parquet", labels, probabilities, failed)
    expected = probabilities.astype(np.float64).mean(axis=1).argmax(axis=1) == labels
    expected[sorted(failed)] = False
    hits = read_hits(tmp_path / "clips.parquet", 4)
    assert np.array_equal(hits.correct, expected[labels >= 0])


def test_other_videos_are_told_apart(tmp_path):
    labels, probabilities = np.array([0, 1, 2]), np.full((3, 2, 3), 1 / 3, np.float32)
    write_clips(tmp_path / "a.parquet", labels, probabilities)
    write_clips(tmp_path / "b.parquet", labels[::-1], probabilities)
    write_clips(tmp_path / "c.parquet", labels, probabilities, failed=[1])
    a, b, c = (read_hits(tmp_path / f"{name}.parquet", 3).videos for name in "abc")
    assert a != b
    assert a == c


def test_every_video_failed(tmp_path):
    write_clips(tmp_path / "a.parquet", np.array([0, 1]), np.full((2, 2, 3), 1 / 3, np.float32), failed=[0, 1])
    hits = read_hits(tmp_path / "a.parquet", 3)
    assert hits.correct.tolist() == [False, False]


def test_a_damaged_file_is_named(tmp_path):
    write_clips(tmp_path / "a.parquet", np.array([0, 1]), np.full((2, 2, 3), 1 / 3, np.float32))
    with pytest.raises(ValueError, match=r"a\.parquet must have 2 x 4 probabilities"):
        read_hits(tmp_path / "a.parquet", 4)
