"""The motion classes: a single frame says nothing, and the movement is what the name says, at interval 2 too."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from videogn.data.synthetic import motion
from videogn.data.synthetic.motion import MOTIONS, draw_video
from videogn.data.synthetic.writing import _Video, _write_one
from videogn.video import decode_frames

OPPOSITES = [
    ("drift left", "drift right"),
    ("drift up", "drift down"),
    ("expand", "contract"),
    ("rotate clockwise", "rotate counterclockwise"),
]
TIMES = (0, 5, 12)
VIDEOS = 300


def _draw(name, seed, *, size=32, num_frames=16, noise=90):
    rng = np.random.default_rng(seed)
    return draw_video(MOTIONS[name], size=size, num_frames=num_frames, rng=rng, noise=noise)


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

    def at_times(scene, t):
        """The movement; frames that nobody looks at are blank, and take their numbers from the generator."""
        return MOTIONS[name](scene, t) if t in TIMES else 0.0

    generators = (np.random.default_rng((number, index)) for index in range(VIDEOS))
    videos = [draw_video(at_times, size=32, num_frames=max(TIMES) + 1, rng=rng) for rng in generators]
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
            _write_one(_Video(tmp_path / "a.mp4", name, 32, 13, 90, entropy))
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


def _without_noise(monkeypatch):
    monkeypatch.setattr(motion, "_LEAST_NOISE", 0.0)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("drift left", 1, -1), ("drift right", 1, 1), ("drift up", 0, -1), ("drift down", 0, 1)],
)
def test_the_content_drifts_to_where_the_name_says(name, axis, sign, monkeypatch):
    """By 1.28 to 2.24 pixels a frame at 64 x 64, so 2.56 to 4.48 in two; rows count downwards. Twelve videos, all."""
    _without_noise(monkeypatch)
    for seed in range(12):
        shift = _shift(_draw(name, seed, size=64, noise=0), gap=2, reach=6)
        assert 2 <= sign * shift[axis] <= 5, (seed, shift)
        assert abs(shift[1 - axis]) <= 1, (seed, shift)  # noise


def _rates(frames):
    """Relative growth and radians clockwise a frame, each by least squares from brightness constancy.

    f_t + s (r . grad f) = 0 for a zoom; with r turned by a quarter, for a rotation.
    """
    grey = frames.astype(float).mean(-1)
    # A binomial filter three times over: the noise is independent from frame to frame and would weaken the gradients.
    for axis in (1, 2) * 3:
        grey = (np.roll(grey, 1, axis) + 2 * grey + np.roll(grey, -1, axis)) / 4
    steps = np.arange(grey.shape[1]) - (grey.shape[1] - 1) / 2
    y, x = steps[:, None], steps
    dt = grey[1:] - grey[:-1]
    mean = (grey[1:] + grey[:-1]) / 2
    dy, dx = np.gradient(mean, axis=1), np.gradient(mean, axis=2)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    changes = (dy * y + dx * x, dy * x - dx * y)  # clockwise, rows counting downwards: what is right moves down
    return [-(dt * change)[inner].sum() / (change**2)[inner].sum() for change in changes]


@pytest.mark.parametrize(
    ("names", "number", "least", "most"),
    [
        (("expand", "contract"), 0, math.log(2) / 16, math.log(2) / 8),  # a factor of two in 8 to 16 frames
        (("rotate clockwise", "rotate counterclockwise"), 1, 2 * math.pi / 120, 2 * math.pi / 60),
    ],
)
@pytest.mark.parametrize(("interval", "excess"), [(1, 1.2), (2, 1.5)])
def test_zooms_and_rotations_go_where_their_names_say(names, number, least, most, interval, excess, monkeypatch):
    """At the rates of the table, in every one of 20 videos without noise, and the other rate is small.

    The measure is linear in the motion: where that is fast it comes out somewhat high, most of all at interval 2.
    """
    _without_noise(monkeypatch)
    for seed in range(20):
        for name, sign in zip(names, (1, -1), strict=True):
            rates = _rates(_draw(name, seed, size=64, num_frames=24, noise=0)[::interval])
            assert 0.9 * least < sign * rates[number] / interval < excess * most, (name, seed, rates)
            assert abs(rates[1 - number]) < 0.5 * abs(rates[number]), (name, seed, rates)


def test_noise_does_not_turn_a_motion_round():
    """With the noise of the data set the estimate is weaker, in the right direction over the videos of a class."""
    for number, names in enumerate((("expand", "contract"), ("rotate clockwise", "rotate counterclockwise"))):
        for name, sign in zip(names, (1, -1), strict=True):
            rates = [_rates(_draw(name, seed, size=64))[number] for seed in range(20)]
            assert sign * np.median(rates) > 0.005, (name, rates)


def test_the_measure_of_the_rates_sees_none_in_a_drift_or_a_still():
    drifts = [_rates(_draw("drift left", seed, size=64)) for seed in range(20)]
    assert np.abs(np.mean(drifts, axis=0)).max() < 0.005
    assert np.abs(_rates(np.repeat(_draw("expand", 0, size=64)[:1], 5, axis=0))).max() < 1e-12


def test_nothing_moves_by_half_a_wavelength_in_two_frames():
    """Of the shortest wavelength, from where a motion looks like its opposite: half way to the edge of the frame."""
    fastest = (
        motion._SPEEDS[1],
        16 * math.log(2) / motion._ZOOM_PERIODS[0],
        16 * 2 * math.pi / motion._ROTATION_PERIODS[0],
    )
    assert 2 * max(fastest) < motion._WAVELENGTHS[0] / 2


@pytest.mark.parametrize("name", MOTIONS)
def test_videos_of_a_class_are_unlike(name):
    """Contrast, noise, fineness and tint vary strongly, so that they give nothing away and statistics matter."""
    rows = _measured(name)[0]
    assert rows["mean"].std() > 1
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


def test_noise_is_as_strong_as_asked():
    """The deviation of the frames' change in time where nothing moves: sqrt(2) x a uniform from 2 to `noise`."""
    for noise in (20, 60):
        still = [
            draw_video(
                lambda scene, t: np.zeros((32, 32, 3)),
                size=32,
                num_frames=2,
                rng=np.random.default_rng(seed),
                noise=noise,
            )
            for seed in range(200)
        ]
        deviations = [np.diff(frames.astype(float)[..., 0], axis=0).std() / 2**0.5 for frames in still]
        assert np.mean(deviations) == pytest.approx((2 + noise) / 2, rel=0.1)
        assert max(deviations) == pytest.approx(noise, rel=0.1)
