"""torchcodec in every way that samples are made: what reaches a network is the same to the bit as with PyAV."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from video_files import COUNT, H264, numbered, write

from videogn.axes import Segment, VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.plans import evaluation_plan, training_plan
from videogn.data.sample import load_sample
from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.survey import survey_text
from videogn.video.decoders.torchcodec_reader import TorchcodecReader
from videogn.video.errors import VideoDecodeError
from videogn.video.held_file import HeldFile
from videogn.video.storage import CheckedFile
from videogn.video.transforms import views_of

if TorchcodecReader.problem() is not None:
    pytest.skip(f"{TorchcodecReader.problem()}", allow_module_level=True)

CLIP = {"clip_length": 4, "interval": 2, "crop_size": 32}
PLANS = {
    "ten clips, three crops": evaluation_plan(
        EvaluationViews(**CLIP, num_clips=10, protocol="slowfast", short_side=40, crops="three_crop")
    ),
    "a rate": evaluation_plan(EvaluationViews(**CLIP, num_clips=3, protocol="nonlocal", short_side=64, fps=7.0)),
    "training": training_plan(NetworkInput(**CLIP), short_sides=(36, 50), flip=0.5),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    """Videos that are decoded alike only if times, turns and proportions are taken into account."""
    folder = tmp_path_factory.mktemp("torchcodec")
    steps = np.cumsum(np.random.default_rng(0).integers(1, 6, COUNT))
    kinds = {
        "variable": {"pts": steps},
        "turned": {"rotation": 90},
        "upside down": {"rotation": 180},
        "wide pixels": {"ratio": Fraction(4, 3)},
        "wide and turned": {"ratio": Fraction(4, 3), "rotation": 270},
    }
    return {
        name: str(write(folder / f"{name}.mp4", numbered(COUNT), options=H264, **how)) for name, how in kinds.items()
    }


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("name", ["variable", "turned", "upside down", "wide pixels", "wide and turned"])
def test_samples_are_the_same(files, name, plan):
    for segment in (None, Segment(0.5, 1.4)):
        record = VideoRecord(files[name], 1, segment=segment)
        made = [
            load_sample(record, 0, plan, decoder=decoder, rng=np.random.default_rng(3), timed=True)
            for decoder in ("torchcodec", "pyav")
        ]
        assert [sample.error for sample in made] == [None, None]
        assert made[0].fallback is None
        assert torch.equal(views_of(made[0]), views_of(made[1]))
        assert made[0].frame_times == made[1].frame_times


def test_in_a_process_of_its_own_in_memory_and_checked(files):
    path = files["variable"]
    everything = decode_frames(path, range(COUNT), "pyav")
    found = read_frame_table(path)
    guard = VideoGuard(600)
    for opener in (guard.open, FrameCache(1 << 24, guard.open).open):
        with opener(path, "torchcodec") as opened:
            assert np.array_equal(opened.frames(np.array([3, 40, 59])), everything[[3, 40, 59]])
            assert opened.fallback is None
    guard.close()
    held = HeldFile("a.mp4", Path(path).read_bytes())
    with open_video(held, "torchcodec") as opened:
        assert np.array_equal(opened.frames([7, 8]), everything[[7, 8]])
        assert (opened.decoder, opened.fallback) == ("torchcodec", None)
    assert dataclasses.astuple(found.info) == dataclasses.astuple(read_frame_table(held).info)


def test_in_a_shard(files, tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        shard.add(files["turned"], "a.mp4")
    with open_video(tmp_path / "s.tar" / "a.mp4", "torchcodec") as opened:
        assert np.array_equal(opened.frames([5]), decode_frames(files["turned"], [5], "pyav"))
        assert opened.fallback is None


def test_a_file_of_an_index_that_changed_is_decoded_as_it_is(files, tmp_path):
    path = tmp_path / "a.mp4"
    shutil.copy(files["turned"], path)
    state = path.stat()
    known = CheckedFile(str(path), state.st_size, state.st_mtime_ns, survey_text(read_frame_table(path).survey))
    with open_video(known, "torchcodec") as opened:
        assert opened.info.frames == COUNT
    shutil.copy(files["variable"], path)
    with open_video(known, "torchcodec") as opened:
        assert np.array_equal(opened.frames([9]), decode_frames(files["variable"], [9], "pyav"))


def test_what_pyav_cannot_decode_is_an_error(video):
    """Of a file that is cut short PyAV says so; torchcodec is not asked."""
    with pytest.raises(VideoDecodeError, match="cut short"):
        decode_frames(video("cut.mp4"), [COUNT - 1], "torchcodec")
    with open_video(video("cut.mp4"), "torchcodec") as opened:
        assert (opened.decoder, opened.fallback) == ("pyav", "the file is cut short")


def test_frames_in_image_files_are_read_without_it(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for number, pixels in enumerate(numbered(8)):
        image.fromarray(pixels).save(tmp_path / f"img_{number:05}.png")
    with open_video(tmp_path, "torchcodec") as opened:
        assert np.array_equal(opened.frames([2, 7]), numbered(8)[[2, 7]])
        assert opened.fallback == "its frames are image files"
