"""Clips at a rate in frames per second show the same times of one scene, whatever the rate of its file."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
from rate_files import LASTS, LEVELS, write_scene

from videogn.axes import Segment, VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.datamodule import VideoDataModule
from videogn.data.plans import centre_plan, evaluation_plan, training_plan
from videogn.data.sample import load_sample
from videogn.video.clips import PROTOCOLS, centre_clip, clip_indices, random_clip
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.guard import VideoGuard
from videogn.video.transforms import views_of

CLIP = {"clip_length": 4, "interval": 5}
SPACE = {"short_side": 32, "crop_size": 32}
#: File -> largest distance in seconds of a time from the frame that stands for it, which at the end is the last one.
FAR = {"10": 0.067, "25": 0.02, "30": 0.017, "60": 0.0085, "uneven": 0.07}
CASES = [*itertools.product(FAR, ("mp4", "mkv"))]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("scene"))


def shown(path, plan, *, seed=0, segment=None, opener=open_video):
    """Seconds that the clips of a video show, (clips, T), read from its frames."""
    record = VideoRecord(path, None, segment=segment)
    sample = load_sample(record, 0, plan, decoder="pyav", rng=np.random.default_rng(seed), opener=opener)
    assert sample.error is None
    return views_of(sample).float().mean(dim=(1, 3, 4)).numpy() / LEVELS


def far(name):
    """A level is rounded when it is written, and when it is read."""
    return FAR[name] + 2 / LEVELS


@pytest.mark.parametrize(("name", "suffix"), CASES)
@pytest.mark.parametrize("fps", [30, 12])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_test_clips(files, name, suffix, fps, protocol):
    """As clips of a video of `fps` frames per second; slowfast too, which at no rate scales with the file's own."""
    plan = evaluation_plan(EvaluationViews(**CLIP, **SPACE, fps=fps, protocol=protocol, num_clips=5, crops="center"))
    wanted = clip_indices(LASTS * fps, **CLIP, num_clips=5, protocol=protocol) / fps
    assert shown(files[name, suffix], plan) == pytest.approx(wanted, abs=far(name))


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_centre_and_training_clips(files, name, suffix):
    view = NetworkInput(**CLIP, **SPACE, fps=30)
    centre = centre_clip(LASTS * 30, **CLIP) / 30
    assert shown(files[name, suffix], centre_plan(view)) == pytest.approx(centre, abs=far(name))
    plan = training_plan(view, short_sides=(32, 40), flip=0.5)
    for seed in range(5):
        drawn = random_clip(LASTS * 30, **CLIP, rng=np.random.default_rng(seed)) / 30
        assert shown(files[name, suffix], plan, seed=seed) == pytest.approx(drawn, abs=far(name))


def test_without_a_rate_the_clips_differ(files):
    """What the rate is for: five frames are half a second of one file, and a twelfth of another."""
    plan = centre_plan(NetworkInput(**CLIP, **SPACE))
    slow, fast = (np.ptp(shown(files[name, "mp4"], plan)) for name in ("10", "60"))
    assert (slow, fast) == pytest.approx((1.5, 0.25), abs=0.03)


def test_slowfast_scales_with_the_rate_of_the_file(files):
    """By itself: its interval counts frames of 30 per second."""
    plan = evaluation_plan(EvaluationViews(**CLIP, **SPACE, protocol="slowfast", num_clips=3, crops="center"))
    for name in ("10", "25", "60"):
        with open_video(files[name, "mkv"]) as video:
            native, frames = video.info.fps, video.info.frames
        wanted = clip_indices(frames, **CLIP, num_clips=3, protocol="slowfast", fps=native) / int(name)
        assert shown(files[name, "mkv"], plan) == pytest.approx(wanted, abs=2 / LEVELS)


@pytest.mark.parametrize("opener", [open_video, VideoGuard(60).open])
@pytest.mark.parametrize("name", FAR)
def test_clips_of_a_segment(files, name, opener):
    """One second of the scene has 30 places; those past its end wrap round to its beginning."""
    plan = evaluation_plan(EvaluationViews(**CLIP, **SPACE, fps=30, num_clips=3, crops="center"))
    wanted = 0.5 + clip_indices(30, **CLIP, num_clips=3) / 30
    found = shown(files[name, "mp4"], plan, segment=Segment(0.5, 1.5), opener=opener)
    assert found == pytest.approx(wanted, abs=far(name))
    assert found.min() >= 0.5 - 2 / LEVELS
    assert found.max() < 1.5 + 2 / LEVELS


def test_starts_are_frames_of_the_file(files):
    plan = evaluation_plan(EvaluationViews(**CLIP, **SPACE, fps=30, num_clips=4, crops="center"))
    sample = load_sample(VideoRecord(files["10", "mp4"], None), 0, plan, decoder="pyav", rng=np.random.default_rng(0))
    assert sample.starts == (0, 5, 10, 15)
    assert sample.num_frames == 60
    assert len(sample.frames) <= 20


def test_all_loaders_of_a_data_set(files, tmp_path):
    """The rate reaches training, validation and test, and the description of the test."""
    for split, kind in itertools.product(("train", "val"), ("a", "b")):
        (tmp_path / split / kind).mkdir(parents=True)
        for name in ("10", "25", "60"):
            shutil.copy(files[name, "mp4"], tmp_path / split / kind)
    data = VideoDataModule(
        str(tmp_path), **CLIP, **SPACE, train_short_sides=(32, 32), fps=30, batch_size=6, num_workers=0, num_clips=2
    )
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    for loader in loaders:
        for batch in loader:
            assert {sample.num_frames for sample in batch.samples} == {60}
            for sample in batch.samples:
                clips = views_of(sample).float().mean(dim=(1, 3, 4)).numpy() / LEVELS
                assert np.diff(clips[0]) == pytest.approx([5 / 30] * 3, abs=0.13)
    assert data.describe_test()["protocol"]["fps"] == 30
    assert "fps" not in VideoDataModule(str(tmp_path), num_workers=0).describe_test()["protocol"]
