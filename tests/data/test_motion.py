"""The motion classes: a single frame says nothing, the movement is what the name says, pulse and flicker alias."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from videogn.data import motion as motion_module
from videogn.data.motion import MOTIONS, draw_video
from videogn.data.synthetic import _Video, _write_one
from videogn.video import decode_frames

OPPOSITES = [
    ("drift left", "drift right"),
    ("drift up", "drift down"),
    ("expand", "contract"),
    ("pulse", "flicker"),
]
TIMES = (0, 5, 12)
VIDEOS = 300


def _draw(name, seed, *, size=32, num_frames=16):
    return draw_video(MOTIONS[name], size=size, num_frames=num_frames, rng=np.random.default_rng(seed))


def _statistics(frame):
    """What a classifier of single frames could look at."""
    x = frame.astype(float)
    grey = x.mean(-1)
    dy, dx = np.diff(grey, axis=0), np.diff(grey, axis=1)
    laplacian = grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    quarter = len(grey) // 4
    middle = (slice(quarter, -quarter),) * 2
    return {
        "mean": grey.mean(),
        "standard deviation": grey.std(),
        "skewness": ((grey - grey.mean()) ** 3).mean() / grey.std() ** 3,
        "red against blue": (x[..., 0] - x[..., 2]).mean(),
        "colour": x.std(-1).mean(),
        "vertical gradient": (dy**2).mean(),
        "horizontal gradient": (dx**2).mean(),
        "high frequencies": (laplacian**2).mean(),
        "left against right": grey[:, : 2 * quarter].mean() - grey[:, 2 * quarter :].mean(),
        "top against bottom": grey[: 2 * quarter].mean() - grey[2 * quarter :].mean(),
        "middle against whole": grey[middle].std() / grey.std(),
        "gradient of the middle": (dx[quarter:-quarter, quarter:-quarter] ** 2).mean() / (dx**2).mean(),
    }


@functools.cache
def _measured(name):
    """{time: {statistic: 300 values}}, every class with its own seeds."""
    number = list(MOTIONS).index(name)
    videos = [_draw(name, (number, index), num_frames=max(TIMES) + 1) for index in range(VIDEOS)]
    rows = {t: [_statistics(video[t]) for video in videos] for t in TIMES}
    return {t: {key: np.array([row[key] for row in rows[t]]) for key in rows[t][0]} for t in TIMES}


def _kolmogorov_smirnov(a, b):
    """Largest distance between two empirical distribution functions."""
    values = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (a, b)]
    return np.abs(below[0] - below[1]).max()


#: 4 pairs, 3 times, 12 statistics: 144 tests, together 1e-3 false alarms (asymptotic formula, Bonferroni).
_ALPHA = 1e-3 / 144
THRESHOLD = math.sqrt(-math.log(_ALPHA / 2) / 2) * math.sqrt(2 / VIDEOS)


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("pair", OPPOSITES, ids="/".join)
def test_a_single_frame_does_not_tell_opposites_apart(pair, t):
    """Two-sample Kolmogorov-Smirnov tests over 300 videos of each class; none may cross the threshold."""
    one, other = (_measured(name)[t] for name in pair)
    distances = {key: _kolmogorov_smirnov(one[key], other[key]) for key in one}
    assert max(distances.values()) < THRESHOLD, distances


def test_the_test_above_has_power():
    """It would notice 25 grey levels of brightness, a third less contrast, or a frame that is a little blurred."""
    plain = _measured("drift left")[0]
    changes = {
        "mean": lambda frame: np.clip(frame + 25.0, 0, 255),
        "standard deviation": lambda frame: (frame - frame.mean()) * 0.7 + frame.mean(),
        "high frequencies": lambda frame: (frame[:-1, :-1] + 1.0 * frame[1:, 1:]) / 2,
    }
    for key, change in changes.items():
        changed = [_statistics(change(_draw("drift right", (9, n), num_frames=1)[0]))[key] for n in range(VIDEOS)]
        assert _kolmogorov_smirnov(plain[key], np.array(changed)) > THRESHOLD, key


@pytest.mark.parametrize("pair", OPPOSITES[2:], ids="/".join)
def test_the_codec_does_not_tell_opposites_apart_either(pair, tmp_path):
    """The same test on decoded files, for the pairs whose frames are predicted from one another unlike.

    Frames 1 and 11 of groups of 12 are the nearest to and the farthest from a key frame.
    """
    measured = []
    for name in pair:
        rows = {1: [], 11: []}
        for index in range(VIDEOS // 2):
            entropy = (5, list(MOTIONS).index(name), index)
            _write_one(_Video(tmp_path / "a.mp4", name, 32, 13, entropy))
            for t, frame in zip(rows, decode_frames(tmp_path / "a.mp4", list(rows)), strict=True):
                rows[t].append(_statistics(frame))
        measured.append({t: {key: np.array([row[key] for row in rows[t]]) for key in rows[t][0]} for t in rows})
    for t in measured[0]:
        distances = {key: _kolmogorov_smirnov(measured[0][t][key], measured[1][t][key]) for key in measured[0][t]}
        assert max(distances.values()) < THRESHOLD * 2**0.5, (t, distances)


def _shift(frames, gap, reach):
    """(dy, dx) by which the content moves in `gap` frames: the shift with the least squared difference."""
    grey = frames.mean(-1)
    before, after = grey[:-gap], grey[gap:]
    size = grey.shape[1]
    inner = before[:, reach : size - reach, reach : size - reach]
    cost = {
        (dy, dx): ((after[:, reach + dy : size - reach + dy, reach + dx : size - reach + dx] - inner) ** 2).mean()
        for dy in range(-reach, reach + 1)
        for dx in range(-reach, reach + 1)
    }
    return min(cost, key=cost.__getitem__)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("drift left", 1, -1), ("drift right", 1, 1), ("drift up", 0, -1), ("drift down", 0, 1)],
)
def test_the_content_drifts_to_where_the_name_says(name, axis, sign):
    """By 0.75 to 2 pixels a frame at 64 x 64, so 1.5 to 4 in two; rows count downwards. Twelve videos, all of them."""
    for seed in range(12):
        shift = _shift(_draw(name, seed, size=64), gap=2, reach=5)
        assert 1 <= sign * shift[axis] <= 4, (seed, shift)
        assert abs(shift[1 - axis]) <= 1, (seed, shift)  # noise


def _growth(frames):
    """Relative growth a frame, by least squares from brightness constancy: f_t + s (r . grad f) = 0."""
    grey = frames.astype(float).mean(-1)
    # A binomial filter three times over: the noise is independent from frame to frame and would weaken the gradients.
    for axis in (1, 2) * 3:
        grey = (np.roll(grey, 1, axis) + 2 * grey + np.roll(grey, -1, axis)) / 4
    steps = np.arange(grey.shape[1]) - (grey.shape[1] - 1) / 2
    dt = grey[1:] - grey[:-1]
    mean = (grey[1:] + grey[:-1]) / 2
    radial = np.gradient(mean, axis=1) * steps[:, None] + np.gradient(mean, axis=2) * steps
    inner = (slice(None), slice(4, -4), slice(4, -4))
    return -(dt * radial)[inner].sum() / (radial**2)[inner].sum()


def test_expand_grows_and_contract_shrinks():
    """A factor of two in 16 to 40 frames is 1.7 to 4.4 % a frame; noise only ever weakens the estimate."""
    for seed in range(20):
        grown, shrunk = _growth(_draw("expand", seed, size=64)), _growth(_draw("contract", seed, size=64))
        assert 0.005 < grown < 0.055, (seed, grown)
        assert 0.005 < -shrunk < 0.055, (seed, shrunk)


def test_the_measure_of_growth_sees_none_in_a_drift_or_a_still():
    assert abs(np.mean([_growth(_draw("drift left", seed, size=64)) for seed in range(20)])) < 0.005
    assert abs(_growth(np.repeat(_draw("expand", 0, size=64)[:1], 5, axis=0))) < 1e-12


def _without_noise(monkeypatch):
    monkeypatch.setattr(motion_module, "_NOISES", (0.0, 0.0))


@pytest.mark.parametrize("seed", range(10))
def test_pulse_and_flicker_alias_at_interval_2(seed, monkeypatch):
    """With the same scene, frames 0, 2, 4 ... are equal (rounding: at most a few pixels by one level), 1, 3, 5 ... not.

    That holds with noise, which is drawn alike, and without.
    """
    for prepare in (lambda patch: None, _without_noise):
        prepare(monkeypatch)
        pulse, flicker = (_draw(name, seed, num_frames=24).astype(int) for name in ("pulse", "flicker"))
        assert np.abs(pulse[::2] - flicker[::2]).max() <= 1
        assert (pulse[::2] != flicker[::2]).mean() < 1e-3
        assert np.abs(pulse[1::2] - flicker[1::2]).mean() > 3


def test_from_an_odd_frame_on_they_alias_with_the_opposite_phase(monkeypatch):
    """cos((w + pi) t + p) at odd t is -cos(w t + p): brightness about the same mean, with the sign changed."""
    _without_noise(monkeypatch)
    monkeypatch.setattr(motion_module, "_CONTRASTS", (0.0, 0.0))
    pulse, flicker = (_draw(name, 4, num_frames=25)[:, 0, 0, 0].astype(float) for name in ("pulse", "flicker"))
    middle = pulse[1::2] + flicker[1::2]
    assert np.ptp(middle) <= 1.01  # rounding
    assert np.ptp(pulse[1::2]) > 10


def _correlation_of_neighbours(video, interval):
    series = video[::interval].mean(axis=(1, 2, 3))
    steps = series - series.mean()
    return (steps[1:] * steps[:-1]).sum() / (steps**2).sum()


def test_pulse_and_flicker_differ_at_interval_1():
    """Neighbouring frames are alike in a pulse and opposite in a flicker; at interval 2 they are alike in both."""
    for seed in range(30):
        pulse, flicker = (_draw(name, (seed, n), num_frames=48) for n, name in enumerate(("pulse", "flicker")))
        assert _correlation_of_neighbours(pulse, 1) > 0.5
        assert _correlation_of_neighbours(flicker, 1) < -0.5
        assert _correlation_of_neighbours(pulse, 2) > 0
        assert _correlation_of_neighbours(flicker, 2) > 0


@pytest.mark.parametrize("name", MOTIONS)
def test_videos_of_a_class_are_unlike(name):
    """Brightness, contrast, fineness and tint vary strongly, so that they give nothing away and statistics matter."""
    rows = _measured(name)[0]
    assert rows["mean"].std() > 15
    low, high = np.quantile(rows["standard deviation"], [0.05, 0.95])
    assert high / low > 1.8
    low, high = np.quantile(rows["high frequencies"], [0.05, 0.95])
    assert high / low > 5
    assert rows["colour"].std() > 2


@pytest.mark.parametrize("name", MOTIONS)
def test_drawing_is_a_function_of_the_generator(name):
    video = _draw(name, 1, size=16, num_frames=3)
    assert (video.dtype, video.shape) == (np.uint8, (3, 16, 16, 3))
    assert np.array_equal(video, _draw(name, 1, size=16, num_frames=3))
    assert not np.array_equal(video, _draw(name, 2, size=16, num_frames=3))
    assert not np.array_equal(video[0], video[1])


def test_eight_classes_in_pairs():
    assert list(MOTIONS) == [name for pair in OPPOSITES for name in pair]
