"""Videos of which some frames are lost: refused by default, scored over the rest when asked to."""

from __future__ import annotations

import av
import numpy as np
import pytest

from videogn.inference import Predictor
from videogn.video import VideoDecodeError, decode_frames, read_frame_table
from videogn.video.encode import write_video

FRAMES = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Noise, so that every frame has many bytes; a key frame every ten."""
    path = tmp_path_factory.mktemp("videos") / "whole.mkv"
    frames = np.random.default_rng(0).integers(0, 255, (FRAMES, 32, 32, 3), dtype=np.uint8)
    write_video(path, frames, options={"g": "10"})
    return path


def _damaged(whole, path, number):
    """The file with zeros in the place of a frame."""
    with av.open(str(whole)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    data = bytearray(whole.read_bytes())
    data[packet.pos + 16 : packet.pos + packet.size] = bytes(packet.size - 16)
    path.write_bytes(data)
    return path


def _decodes(path, number):
    try:
        decode_frames(path, [number])
    except VideoDecodeError:
        return False
    return True


@pytest.fixture(scope="module")
def predictors(trained):
    """Without and with the option; two clips, the second from the middle on."""
    checkpoint = trained / "checkpoints" / "last.ckpt"
    return [
        Predictor(checkpoint, num_clips=10, device="cpu", time_limit=0, precision="32", use_truncated=asked)
        for asked in (False, True)
    ]


def test_a_whole_video_is_scored_as_ever(predictors, whole):
    strict, lenient = (next(predictor.predict(whole)) for predictor in predictors)
    assert strict.scores == lenient.scores
    assert lenient.truncated is None


def test_a_missing_end(predictors, whole, tmp_path):
    """The clips lie over the frames that are there."""
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    there = read_frame_table(cut).readable
    assert 10 < there < FRAMES
    strict, lenient = (next(predictor.predict(cut)) for predictor in predictors)
    assert strict.scores == ()
    assert strict.error.endswith("(the file is cut short)")
    assert lenient.error is None
    assert lenient.truncated == f"{there} of {read_frame_table(cut).info.frames} frames decode: {strict.error}"
    (rest,) = predictors[0].predict(decode_frames(cut, range(there)))
    assert lenient.scores == rest.scores


@pytest.mark.parametrize("guarded", [False, True])
def test_damage_inside_costs_the_frames_to_the_next_key_frame(trained, predictors, whole, tmp_path, guarded):
    """Each lost frame is replaced by the nearest that decodes."""
    broken = _damaged(whole, tmp_path / "broken.mkv", 23)
    predictor = predictors[1]
    if guarded:
        checkpoint = trained / "checkpoints" / "last.ckpt"
        predictor = Predictor(checkpoint, num_clips=10, device="cpu", precision="32", use_truncated=True)
    strict, lenient = next(predictors[0].predict(broken)), next(predictor.predict(broken))
    assert "cannot be decoded" in strict.error
    intact = [number for number in range(FRAMES) if _decodes(broken, number)]
    assert FRAMES - 10 <= len(intact) < FRAMES
    assert lenient.truncated == f"{len(intact)} of {FRAMES} frames decode: {strict.error}"
    nearest = [min(intact, key=lambda each, number=number: abs(each - number)) for number in range(FRAMES)]
    (rest,) = predictors[0].predict(decode_frames(whole, nearest))
    assert dict(lenient.scores) == pytest.approx(dict(rest.scores), abs=1e-6)


def test_what_holds_no_frame_fails_with_the_same_reason(predictors, whole, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "head.mkv").write_bytes(whole.read_bytes()[:300])
    for name in ("empty.mp4", "text.mp4", "head.mkv", "missing.mp4"):
        strict, lenient = (next(predictor.predict(tmp_path / name)) for predictor in predictors)
        assert strict == lenient
        assert strict.error
