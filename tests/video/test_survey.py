"""What an index keeps of a file's packets: opened with it, a file has the same frame table and the same frames."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil

import numpy as np
import pytest
from video_files import COUNT, H264, MEDIA, RISKY, SAFE, numbered, write

from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders import frame_table
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.readers import check_decoder
from videogn.video.decoders.survey import read_survey, survey_text
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity_report import check_integrity
from videogn.video.storage import CheckedFile

#: Generated files without a text: no times that tell frames apart, or times in milliseconds.
LONG = {"h264.avi", "raw.h264"}


def checked(path, text: str | None) -> CheckedFile:
    state = os.stat(path)
    return CheckedFile(str(path), state.st_size, state.st_mtime_ns, text)


@pytest.fixture
def read_through(monkeypatch) -> list[str]:
    """Files whose packets are read."""
    paths: list[str] = []
    surveyed = frame_table._surveyed

    def counting(path, *others):
        paths.append(str(path))
        return surveyed(path, *others)

    monkeypatch.setattr(frame_table, "_surveyed", counting)
    return paths


def check_same(found: FrameTable, expected: FrameTable) -> None:
    for field in dataclasses.fields(FrameTable):
        ours, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "known_intact":
            assert (ours, theirs) == (True, False)
        elif isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs), field.name
        else:
            assert (type(ours), ours) == (type(theirs), theirs), field.name


@pytest.mark.parametrize("name", [*SAFE, *RISKY])
def test_the_table_is_the_same_and_so_are_the_frames(video, read_through, name):
    path = video(name)
    expected = read_frame_table(path)
    text = survey_text(expected.survey)
    assert (text == "") == (name in LONG)
    count = expected.info.frames
    everything = decode_frames(path, range(count))
    read_through.clear()
    if text:
        check_same(read_frame_table(checked(path, text)), expected)
    for indices in ([count - 1], list(range(1, count, 2)), [0, count // 2]):
        with open_video(checked(path, text)) as opened:
            assert np.array_equal(opened.frames(indices), everything[indices])
    assert bool(read_through) == (text == "")


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
@pytest.mark.parametrize("rotation", [0, 90])
def test_other_decoders_are_opened_with_it(tmp_path, read_through, decoder, rotation):
    try:
        check_decoder(decoder)
    except ValueError as error:
        pytest.skip(str(error))
    path = write(tmp_path / "a.mp4", numbered(20), options=H264, rotation=rotation)
    everything = decode_frames(path, range(20))
    text = survey_text(read_frame_table(path).survey)
    read_through.clear()
    with open_video(checked(path, text), decoder) as opened:
        assert np.array_equal(opened.frames([3, 11]), everything[[3, 11]])
    assert not read_through


def test_real_files(tmp_path):
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    short = set()
    for path in sorted(MEDIA.iterdir()):
        expected = read_frame_table(path)
        if path.name == "corrupted.mp4" or not (text := survey_text(expected.survey)):
            continue
        short.add(path.name)
        here = shutil.copy(path, tmp_path / path.name)
        found = read_frame_table(checked(here, text))
        check_same(dataclasses.replace(found, path=str(path), source=expected.source), expected)
        wanted = np.unique(np.linspace(0, expected.info.frames - 1, 5).astype(int))
        assert np.array_equal(decode_frames(checked(here, text), wanted), decode_frames(path, wanted))
    assert "arm_wrestling_kinetics.mp4" in short


def test_a_file_that_changed_is_read_through(tmp_path, read_through):
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264)
    before = checked(path, survey_text(read_frame_table(path).survey))
    write(path, numbered(30), options=H264)
    read_through.clear()
    with open_video(before) as opened:
        assert opened.info.frames == 30
    assert read_through


def test_a_check_of_a_whole_file_tells_it(video):
    assert check_integrity(video("gop12.mp4")).survey == survey_text(read_frame_table(video("gop12.mp4")).survey)
    assert not check_integrity(video("cut.mp4")).survey


def test_irregular_times_are_too_long(tmp_path):
    pts = np.cumsum(np.random.default_rng(0).integers(1, 50, 200))
    path = write(tmp_path / "a.mp4", numbered(200), options=H264, pts=pts)
    assert not survey_text(read_frame_table(path).survey)


def test_it_travels(video):
    path = checked(video("gop12.mp4"), "text")
    assert pickle.loads(pickle.dumps(path)).survey == "text"


@pytest.mark.parametrize(
    "change",
    [
        {"made_by": "another FFmpeg"},
        {"pts": []},
        {"pts": [0, [512, 10**15]]},  # more frames than the file has bytes
        {"pts": [0, [512, -1]]},
        {"pts": [0, [0, 59]]},
        {"pts": [0, [2**62, 59]]},
        {"pts": [10**30, [512, 59]]},
        {"pts": [0, [512]]},
        {"pts": [0.5, [512, 59]]},
        {"pts": [0, [float("nan"), 59]]},
        {"pts": "0"},
        {"pts": None},
        {"keyframes": [0, [12, 5]]},  # frame 60 of 60
        {"keyframes": [-1, [12, 4]]},
        {"size": [64]},
        {"size": [64, 10**9]},
        {"size": [64, "128"]},
        {"rotation": 45},
        {"rotation": True},
        {"decord_risk": 5},
        {"colour_risk": ["odd"]},
    ],
    ids=str,
)
def test_a_damaged_text_is_none(video, read_through, change):
    path = video("gop12.mp4")
    text = survey_text(read_frame_table(path).survey)
    assert read_survey(text, os.path.getsize(path)) is not None
    damaged = json.dumps(json.loads(text) | change)
    assert read_survey(damaged, os.path.getsize(path)) is None
    read_through.clear()
    with open_video(checked(path, damaged)) as opened:
        assert opened.info.frames == COUNT
    assert read_through


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", "[" * 900, '{"made_by":"' + "1" * 2000])
def test_what_is_no_text_is_none(text):
    assert read_survey(text, 1000) is None


def test_a_large_file_may_not_state_as_many_frames_as_it_has_bytes(video):
    stated = json.loads(survey_text(read_frame_table(video("gop12.mp4")).survey))
    assert read_survey(json.dumps(stated | {"pts": [0, [1, 10**9]]}), 10**10) is None
    assert read_survey(json.dumps(stated | {"pts": [0, [1, 10**6]]}), 10**10) is not None


def test_a_text_that_is_wrong_gives_an_error_and_no_other_frame(video):
    """An index may name another file's survey; no frame comes out under a wrong number."""
    path = video("gop12.mp4")
    stated = json.loads(survey_text(read_frame_table(path).survey))
    stated["pts"][1][0] += 1
    with (
        open_video(checked(path, json.dumps(stated))) as opened,
        pytest.raises(VideoDecodeError, match="frame 5 of 60"),
    ):
        opened.frames([5])
