"""A stream of videos: taken lazily, decoded ahead, scored together, predicted in order."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
import types

import numpy as np
import pytest
import torch

from videogn.axes import Segment, VideoRecord
from videogn.inference import Predictor, decoding
from videogn.inference.network_pass import NetworkPass
from videogn.video.encode import write_video


@pytest.fixture(scope="module")
def last(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def videos(motion, tmp_path_factory) -> list[str]:
    """Ten videos of three shapes, with a damaged and a missing one among them."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for number, size in enumerate([(32, 48), (48, 32), (32, 48)]):
        write_video(folder / f"{number}.mp4", rng.integers(256, size=(20, *size, 3), dtype=np.uint8))
    (folder / "damaged.mp4").touch()
    good = sorted(map(str, motion.glob("val/*/*.mp4")))[:5]
    odd = [str(folder / name) for name in ("0.mp4", "1.mp4", "damaged.mp4", "missing.mp4", "2.mp4")]
    return [name for pair in zip(good, odd, strict=True) for name in pair]


def _predictor(last, **options) -> Predictor:
    return Predictor(last, **{"num_clips": 2, "precision": "32", "device": "cpu", "time_limit": 0, **options})


@pytest.mark.parametrize(("batch_clips", "crops"), [(1, "full"), (4, "full"), (100, "full"), (100, "three_crop")])
def test_together_as_alone(last, videos, batch_clips, crops):
    """Bit for bit but for the kernels that a pass of a single view may take."""
    predictor = _predictor(last, crops=crops)
    passes, logits = [], predictor._net.forward
    alone = [next(predictor.predict(name)) for name in videos]
    predictor._net.forward = lambda clips: passes.append(len(clips)) or logits(clips)
    together = list(predictor.predict(videos, batch_clips=batch_clips))
    assert [found.path for found in together] == videos
    assert [found.error for found in together] == [None] * 5 + ["file is empty", None, "file not found", None, None]
    for one, other in zip(alone, together, strict=True):
        assert (one.error, one.clip_times) == (other.error, other.clip_times)
        if one.error is None:
            np.testing.assert_allclose(other.clip_probabilities, one.clip_probabilities, rtol=0, atol=1e-6)
    assert max(passes) <= batch_clips
    if batch_clips == 100:
        # Five frames are of one shape; the crops of all eight are.
        assert max(passes) == (5 * 2 if crops == "full" else 8 * 2 * 3)


def test_by_default_every_video_goes_alone(last, videos, monkeypatch):
    passes, rows = [], NetworkPass._rows
    monkeypatch.setattr(
        NetworkPass, "_rows", lambda self, some, *rest: passes.append(len(some)) or rows(self, some, *rest)
    )
    list(_predictor(last).predict(videos))
    assert passes == [1] * 8


def test_a_video_whose_scores_are_not_finite_fails_alone(last, videos):
    predictor = _predictor(last, num_clips=1)
    net = predictor._net.forward

    def forward(clips):
        logits = net(clips)
        broken = torch.isclose(clips.mean(dim=(1, 2, 3, 4)), middle)
        return torch.where(broken[:, None, None, None, None], torch.nan, logits)

    good, seen = videos[::2][:3], []
    predictor._net.forward = lambda clips: seen.append(clips) or net(clips)
    next(predictor.predict(good[1]))
    middle = seen[0].mean()
    predictor._net.forward = forward
    found = list(predictor.predict(good, batch_clips=3))
    assert [prediction.error for prediction in found] == [
        None,
        "the network gave logits that are not finite (NaN or infinity)",
        None,
    ]


@pytest.mark.parametrize(("workers", "ahead"), [(0, 1), (1, 2), (2, 4)])
def test_only_a_bounded_number_of_names_is_taken_ahead(last, tmp_path, workers, ahead):
    """Of a generator that never ends."""
    taken = []

    def names():
        for number in itertools.count():
            taken.append(number)
            yield tmp_path / f"{number}.mp4"

    found = _predictor(last).predict(names(), workers=workers)
    assert not taken
    for number, prediction in enumerate(itertools.islice(found, 12)):
        assert prediction.path == str(tmp_path / f"{number}.mp4")
        assert len(taken) <= number + 1 + ahead
    found.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_iterable_comes_after_the_videos_before_it(last, videos, workers):
    def names():
        yield from videos[:4]
        raise OSError("the list ends in the middle of a line")

    found = _predictor(last).predict(names(), workers=workers)
    assert [prediction.path for prediction in itertools.islice(found, 4)] == videos[:4]
    with pytest.raises(OSError, match="in the middle of a line"):
        next(found)


def test_a_worker_that_dies_is_an_error(last, videos):
    found = _predictor(last).predict(itertools.cycle(videos[:1]), workers=1)
    next(found)

    def kill_and_go_on():
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)
            child.join()  # one that is still dying breaks the connection, and counts as alive
        for _ in found:
            time.sleep(0.05)

    with pytest.raises(RuntimeError, match=r"exited unexpectedly|killed by signal"):
        kill_and_go_on()


def test_records_and_names(last, videos):
    path = videos[0]
    records = [VideoRecord(path, 3, segment=Segment(5, 20, "frames")), VideoRecord(path, None, error="no frames")]
    named, recorded, unusable = _predictor(last).predict([f"{path}#frames=5,20", *records])
    assert named == recorded
    assert recorded.path == f"{path}#frames=5,20"
    assert (unusable.path, unusable.error) == (path, "no frames")
    (alone,) = _predictor(last).predict(records[0])
    assert alone == recorded


@pytest.mark.parametrize(
    ("count", "device", "cores", "workers"),
    [(0, "cpu", 8, 0), (1, "cpu", 8, 0), (2, "cpu", 1, 1), (3, "cpu", 8, 2), (3, "cuda", 8, 8), (3, "cuda", 96, 16)],
)
def test_the_number_of_workers_that_is_chosen(monkeypatch, count, device, cores, workers):
    monkeypatch.setattr(decoding, "available_cores", lambda: cores)
    asked = []

    class Loader(list):
        def __init__(self, dataset, *, sampler, num_workers, **options):
            asked.append(num_workers)
            super().__init__(sampler)

    monkeypatch.setattr(decoding, "DataLoader", Loader)
    names = (f"{number}.mp4" for number in range(count))
    orders = list(decoding.decoded(names, types.SimpleNamespace(order=str), workers=None, device=torch.device(device)))
    assert [name for _, name in orders] == [f"{number}.mp4" for number in range(count)]
    assert asked == [workers]


@pytest.mark.parametrize("options", [{"workers": -1}, {"batch_clips": 0}, {"top_k": 0}])
def test_numbers_are_checked_at_once(last, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be >"):
        _predictor(last).predict("a.mp4", **options)


def test_the_times_of_clips(last, videos):
    """32 frames of 30 a second, clips of four frames at interval 2; the second of two starts at frame 16 of 32."""
    (whole,) = _predictor(last).predict(videos[0])
    assert whole.clip_times == (pytest.approx((0, 7 / 30)), pytest.approx((16 / 30, 23 / 30)))
    (part,) = _predictor(last, protocol="endpoint").predict(f"{videos[0]}#frames=10,30")
    assert part.clip_times == (pytest.approx((10 / 30, 17 / 30)), pytest.approx((22 / 30, 29 / 30)))
    # Clip 9 of 10 starts at frame 28 and goes on with 30, 0 and 2.
    (wrapping,) = _predictor(last, num_clips=10).predict(videos[0])
    assert wrapping.clip_times[9] == pytest.approx((28 / 30, 31 / 30))
    assert whole.clip_probabilities.shape == (2, 8)
    assert whole.probabilities == pytest.approx(whole.clip_probabilities.mean(axis=0))
    best = int(whole.probabilities.argmax())
    assert whole.scores[0] == (_predictor(last).class_names[best], pytest.approx(float(whole.probabilities[best])))


def test_a_worker_says_nothing_of_a_main_process_that_ended(monkeypatch):
    """The thread that hands frames over calls the hook of the interpreter, which would print a traceback."""
    said = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: said.append(error[0]))
    decoding._end_quietly(0)
    for error in (ConnectionResetError, BrokenPipeError, ValueError):
        sys.excepthook(error, error(), None)
    assert said == [ValueError]
