"""The predictor in the place of the video-classification pipeline of transformers 5."""

from __future__ import annotations

import pytest

from videogn.inference import Predictor


@pytest.fixture(scope="module")
def pipeline(trained):
    predictor = Predictor(trained / "checkpoints" / "last.ckpt", num_clips=1, device="cpu", time_limit=0)
    return predictor.as_pipeline(top_k=3)


@pytest.fixture
def paths(motion) -> list[str]:
    return sorted(map(str, motion.glob("val/contract/*.mp4")))[:2]


def test_a_video_gives_a_list_and_a_list_gives_lists(pipeline, paths):
    one = pipeline(paths[0])
    assert [set(each) for each in one] == [{"score", "label"}] * 3
    assert [each["score"] for each in one] == sorted((each["score"] for each in one), reverse=True)
    assert all(isinstance(each["score"], float) and isinstance(each["label"], str) for each in one)
    assert pipeline(paths) == [pipeline(path) for path in paths]
    assert pipeline([paths[0]]) == [one]
    assert pipeline([]) == []
    assert pipeline.task == "video-classification"


def test_an_iterable_gives_an_iterator(pipeline, paths):
    found = pipeline(iter(paths))
    assert not isinstance(found, list)
    assert list(found) == pipeline(paths)


def test_top_k_of_a_call_counts_and_is_at_most_the_number_of_classes(pipeline, paths):
    assert len(pipeline(paths[0], top_k=1)) == 1
    whole = pipeline(paths[0], top_k=100)
    assert len(whole) == 8
    assert sum(each["score"] for each in whole) == pytest.approx(1, abs=1e-5)


def test_a_bad_video_raises(pipeline, paths, tmp_path):
    for wrong in (str(tmp_path / "nowhere.mp4"), [paths[0], str(tmp_path / "nowhere.mp4")]):
        with pytest.raises(ValueError, match=r"nowhere\.mp4: file not found"):
            pipeline(wrong)
    with pytest.raises(ValueError, match="top_k must be > 0, got 0"):
        pipeline(paths[0], top_k=0)
