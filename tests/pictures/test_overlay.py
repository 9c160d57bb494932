"""Overlays: frames, times, sizes and sound against the source."""

from __future__ import annotations

import av
import numpy as np
import pytest

from videogn.axes import Segment, VideoRecord
from videogn.pictures.overlay import write_overlay
from videogn.pictures.running_prediction import running_probabilities
from videogn.video.decoders.decode import open_video
from videogn.video.encode import write_video

RATE = 48000


def nothing(height, width):
    return lambda picture, time: picture


def record_with_sound(path, *, codec="aac", seconds=2.0, first=0.0, fps=10, size=(128, 192)):
    """A grey ramp with a tone; both begin at `first` seconds."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=fps, options={"crf": "10"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        audio = file.add_stream(codec, rate=RATE)
        for number in range(round(seconds * fps)):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 10 * number % 250, np.uint8), format="rgb24")
            frame.pts = number + round(first * fps)
            file.mux(video.encode(frame))
        file.mux(video.encode())
        step = audio.codec_context.frame_size or 1024
        shape = audio.codec_context.format.name
        for start in range(0, round(seconds * RATE), step):
            wave = np.sin(2 * np.pi * 440 * np.arange(start, start + step) / RATE)
            values = wave.astype(np.float32) * 0.5 if "flt" in shape else (wave * 15000).astype(np.int16)
            channels = audio.codec_context.layout.nb_channels
            planar = shape.endswith("p")
            data = np.tile(values, (channels, 1)) if planar else np.repeat(values, channels)[None]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), shape, audio.codec_context.layout.name)
            frame.sample_rate, frame.pts = RATE, start + round(first * RATE)
            file.mux(audio.encode(frame))
        file.mux(audio.encode())
    return path


def packets(path, kind):
    """Codec, and (seconds, data) of all packets."""
    with av.open(str(path)) as file:
        stream = getattr(file.streams, kind)
        if not stream:
            return None, []
        found = [
            (float(packet.pts * packet.time_base), bytes(packet)) for packet in file.demux(stream[0]) if packet.size
        ]
        return stream[0].codec_context.name, sorted(found)


def overlay(source, target, segment=None, draw=nothing):
    write_overlay(target, VideoRecord(str(source), None, segment=segment), open_video, draw)
    return target


def test_frames_keep_their_times_and_sound_is_copied(tmp_path):
    source = record_with_sound(tmp_path / "a.mkv")
    made = overlay(source, tmp_path / "a.mp4")
    with open_video(source) as old, open_video(made) as new:
        assert new.info.frames == old.info.frames == 20
        np.testing.assert_allclose(new.times(), old.times(), atol=2e-5)
        assert np.abs(new.frames(np.arange(20)).astype(int) - old.frames(np.arange(20))).mean() < 3
    codec, sound = packets(made, "audio")
    _, before = packets(source, "audio")
    assert codec == "aac"
    assert [data for _, data in sound] == [data for _, data in before]
    np.testing.assert_allclose([time for time, _ in sound], [time for time, _ in before], atol=1.1e-3)
    with av.open(str(made)) as file:
        assert (file.streams.video[0].codec_context.name, file.streams.video[0].pix_fmt) == ("h264", "yuv420p")


def test_sound_that_browsers_do_not_play_is_encoded_again_in_time(tmp_path):
    """A file that begins late, as broadcasts do: the tone begins with the pictures."""
    source = record_with_sound(tmp_path / "a.ts", codec="mp2", first=3.0)
    made = overlay(source, tmp_path / "a.mp4")
    codec, sound = packets(made, "audio")
    _, pictures = packets(made, "video")
    assert codec == "aac"
    assert pictures[0][0] == 0
    with av.open(str(made)) as file:
        frames = [(frame.pts * frame.time_base, frame.to_ndarray()[0]) for frame in file.decode(audio=0)]
    heard = [float(time) for time, values in frames if np.abs(values).max() > 0.1]
    assert heard[0] == pytest.approx(0, abs=0.06)
    assert heard[-1] == pytest.approx(2, abs=0.06)
    assert len(sound) == pytest.approx(2 * RATE / 1024, abs=3)


def test_a_part_has_its_own_frames_and_sound(tmp_path):
    source = record_with_sound(tmp_path / "a.mkv", seconds=4)
    made = overlay(source, tmp_path / "a.mp4", Segment(1.0, 2.5))
    with open_video(made) as new:
        assert new.info.frames == 15
        np.testing.assert_allclose(new.times(), np.arange(15) / 10, atol=2e-5)
        assert new.frames(np.array([0]))[0, 5, 5, 0] == pytest.approx(100, abs=4)
    before = {data: time for time, data in packets(source, "audio")[1]}
    sound = packets(made, "audio")[1]
    assert sound[0][0] == pytest.approx(-0.1, abs=0.03)  # what the decoder needs to settle, and nobody hears
    assert sound[-1][0] == pytest.approx(1.5, abs=0.03)
    assert all(before[data] - 1.0 == pytest.approx(time, abs=2e-3) for time, data in sound)


@pytest.mark.parametrize(("size", "made_size"), [((64, 96), (128, 192)), ((130, 200), (130, 200))])
def test_small_videos_are_enlarged_and_no_sound_stays_none(tmp_path, size, made_size):
    write_video(tmp_path / "a.mkv", np.zeros((5, *size, 3), np.uint8), 10)
    made = overlay(tmp_path / "a.mkv", tmp_path / "a.mp4")
    assert packets(made, "audio") == (None, [])
    with open_video(made) as new:
        assert (new.info.height, new.info.width) == made_size


def test_odd_sides_get_one_more_row(tmp_path):
    write_video(tmp_path / "a.webm", np.full((5, 121, 161, 3), 90, np.uint8), 10, codec="libvpx-vp9")
    with open_video(overlay(tmp_path / "a.webm", tmp_path / "a.mp4")) as new:
        assert (new.info.height, new.info.width) == (122, 162)
        assert np.ptp(new.frames(np.array([0]))) < 6


def test_what_is_drawn_is_told_the_time(tmp_path):
    write_video(tmp_path / "a.mp4", np.zeros((8, 128, 128, 3), np.uint8), 4)
    told = []
    overlay(
        tmp_path / "a.mp4", tmp_path / "b.mp4", draw=lambda *size: lambda picture, time: told.append(time) or picture
    )
    np.testing.assert_allclose(told, np.arange(8) / 4)


def test_the_running_prediction_is_on_the_line_between_the_middles_of_clips():
    times = [(2.0, 4.0), (0.0, 2.0), (0.0, 2.0)]  # in any order, and one place twice
    clips = np.array([[0.2, 0.8], [0.9, 0.1], [0.7, 0.3]], np.float32)
    at = np.array([0.0, 1.0, 2.0, 3.0, 9.0])
    found = running_probabilities(times, clips, at)
    np.testing.assert_allclose(found[:, 1], [0.2, 0.2, 0.5, 0.8, 0.8], rtol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(running_probabilities(times[:1], clips[:1], at), clips[:1].repeat(5, 0))
