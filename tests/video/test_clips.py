"""Frame indices against tables worked out by hand, formulas in fractions, and the definitions of peers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from videogn.video.clips import centre_clip, clip_indices, clip_step, is_short, random_clip, span

# Starts by hand. 32 x 2 and 64 x 1 both span 64 frames.
STARTS = {
    # floor(N j / V)
    ("nonlocal", 300, 10): [0, 30, 60, 90, 120, 150, 180, 210, 240, 270],
    ("nonlocal", 250, 10): [0, 25, 50, 75, 100, 125, 150, 175, 200, 225],
    ("nonlocal", 64, 10): [0, 6, 12, 19, 25, 32, 38, 44, 51, 57],
    ("nonlocal", 63, 10): [0, 6, 12, 18, 25, 31, 37, 44, 50, 56],
    ("nonlocal", 10, 10): [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    ("nonlocal", 1, 10): [0] * 10,
    ("nonlocal", 300, 3): [0, 100, 200],
    ("nonlocal", 250, 3): [0, 83, 166],
    ("nonlocal", 64, 3): [0, 21, 42],
    ("nonlocal", 63, 3): [0, 21, 42],
    ("nonlocal", 10, 3): [0, 3, 6],
    ("nonlocal", 300, 1): [0],
    # (N - 64) j / V, rounded down
    ("slowfast", 300, 10): [0, 23, 47, 70, 94, 118, 141, 165, 188, 212],
    ("slowfast", 250, 10): [0, 18, 37, 55, 74, 93, 111, 130, 148, 167],
    ("slowfast", 64, 10): [0] * 10,
    ("slowfast", 63, 10): [0] * 10,
    ("slowfast", 10, 10): [0] * 10,
    ("slowfast", 1, 10): [0] * 10,
    ("slowfast", 300, 3): [0, 78, 157],
    ("slowfast", 250, 3): [0, 62, 124],
    ("slowfast", 300, 1): [0],
    # j floor((N - 64) / (V - 1))
    ("slowfast_offset", 300, 10): [26 * k for k in range(10)],
    ("slowfast_offset", 300, 5): [0, 59, 118, 177, 236],
    ("slowfast_offset", 251, 5): [0, 46, 92, 138, 184],
    ("slowfast_offset", 63, 5): [0] * 5,
    ("slowfast_offset", 300, 1): [118],
    ("slowfast_offset", 1, 1): [0],
    # round((N - 64) j / (V - 1)), halves to even
    ("endpoint", 300, 10): [0, 26, 52, 79, 105, 131, 157, 184, 210, 236],
    ("endpoint", 250, 10): [0, 21, 41, 62, 83, 103, 124, 145, 165, 186],
    ("endpoint", 64, 10): [0] * 10,
    ("endpoint", 63, 10): [0] * 10,
    ("endpoint", 10, 10): [0] * 10,
    ("endpoint", 1, 10): [0] * 10,
    ("endpoint", 300, 3): [0, 118, 236],
    ("endpoint", 250, 3): [0, 93, 186],
    ("endpoint", 65, 3): [0, 0, 1],
    ("endpoint", 67, 3): [0, 2, 3],
    ("endpoint", 300, 1): [0],
}


@pytest.mark.parametrize(("clip_length", "interval"), [(32, 2), (64, 1)])
@pytest.mark.parametrize(("protocol", "num_frames", "num_clips"), STARTS)
def test_starts_by_hand(protocol, num_frames, num_clips, clip_length, interval):
    clips = clip_indices(num_frames, clip_length=clip_length, interval=interval, num_clips=num_clips, protocol=protocol)
    assert clips.dtype == np.int64
    assert clips.shape == (num_clips, clip_length)
    assert clips[:, 0].tolist() == STARTS[protocol, num_frames, num_clips]


@pytest.mark.parametrize(
    ("protocol", "num_frames", "clip_length", "interval", "num_clips", "table"),
    [
        ("nonlocal", 20, 4, 2, 3, [[0, 2, 4, 6], [6, 8, 10, 12], [13, 15, 17, 19]]),
        ("nonlocal", 20, 4, 3, 3, [[0, 3, 6, 9], [6, 9, 12, 15], [13, 16, 19, 2]]),
        ("nonlocal", 5, 4, 2, 3, [[0, 2, 4, 1], [1, 3, 0, 2], [3, 0, 2, 4]]),
        ("nonlocal", 1, 3, 2, 2, [[0, 0, 0], [0, 0, 0]]),
        ("nonlocal", 3, 4, 1, 1, [[0, 1, 2, 0]]),
        ("slowfast", 20, 4, 2, 3, [[0, 2, 4, 7], [4, 6, 8, 11], [8, 10, 12, 15]]),
        ("slowfast", 18, 4, 2, 3, [[0, 2, 4, 7], [3, 5, 8, 10], [6, 9, 11, 13]]),
        ("slowfast", 8, 4, 2, 2, [[0, 2, 4, 7], [0, 2, 4, 7]]),
        ("slowfast", 5, 4, 2, 2, [[0, 2, 4, 4], [0, 2, 4, 4]]),
        ("slowfast", 1, 3, 2, 2, [[0, 0, 0], [0, 0, 0]]),
        ("mmaction2", 20, 4, 2, 3, [[0, 2, 4, 6], [6, 8, 10, 12], [13, 15, 17, 19]]),
        ("mmaction2", 20, 4, 2, 1, [[6, 8, 10, 12]]),
        ("mmaction2", 18, 4, 2, 3, [[0, 2, 4, 6], [6, 8, 10, 12], [11, 13, 15, 17]]),
        ("mmaction2", 5, 4, 2, 2, [[0, 2, 4, 1], [0, 2, 4, 1]]),
        ("mmaction2", 1, 3, 2, 2, [[0, 0, 0], [0, 0, 0]]),
        ("mmaction2", 20, 1, 2, 4, [[2], [7], [12], [17]]),
        ("endpoint", 20, 4, 2, 3, [[0, 2, 4, 6], [6, 8, 10, 12], [12, 14, 16, 18]]),
        ("endpoint", 20, 4, 1, 2, [[0, 1, 2, 3], [16, 17, 18, 19]]),
        ("endpoint", 5, 4, 2, 2, [[0, 2, 4, 4], [0, 2, 4, 4]]),
        ("endpoint", 20, 4, 2, 1, [[0, 2, 4, 6]]),
    ],
)
def test_whole_tables_by_hand(protocol, num_frames, clip_length, interval, num_clips, table):
    """nonlocal and mmaction2 wrap round; the other two repeat the last frame of a short video."""
    clips = clip_indices(num_frames, clip_length=clip_length, interval=interval, num_clips=num_clips, protocol=protocol)
    assert clips.tolist() == table


def test_the_last_nonlocal_clip_of_300_frames_wraps_after_frame_298():
    last = clip_indices(300, clip_length=32, interval=2)[-1].tolist()
    assert last == [*range(270, 300, 2), *range(0, 34, 2)]


@pytest.mark.parametrize(
    ("protocol", "num_frames", "clip_length", "interval", "starts", "first"),
    [
        ("slowfast", 300, 32, 2, [0, 23, 47, 70, 94, 118, 141, 165, 188, 212], [*range(0, 62, 2), 63]),
        ("slowfast", 300, 8, 8, [0, 23, 47, 70, 94, 118, 141, 165, 188, 212], [*range(0, 64, 9)]),
        ("slowfast", 40, 32, 2, [0] * 10, [*range(0, 40, 2), *[39] * 12]),
        ("slowfast", 40, 8, 8, [0] * 10, [0, 9, 18, 27, 36, 39, 39, 39]),
        ("mmaction2", 300, 32, 2, [0, 26, 53, 79, 105, 132, 158, 184, 211, 237], [*range(0, 64, 2)]),
        ("mmaction2", 300, 8, 8, [27 * k for k in range(10)], [*range(0, 57, 8)]),
        ("mmaction2", 40, 32, 2, [0] * 10, [*range(0, 40, 2), *range(0, 23, 2)]),
        ("mmaction2", 40, 8, 8, [0] * 10, [0, 8, 16, 24, 32, 0, 8, 16]),
    ],
)
def test_ten_clips_of_the_peers(protocol, num_frames, clip_length, interval, starts, first):
    """As their released code gives them."""
    clips = clip_indices(num_frames, clip_length=clip_length, interval=interval, protocol=protocol)
    assert clips[:, 0].tolist() == starts
    assert clips[0].tolist() == first


def _slowfast(n, t, s, v, fps, offset=False):
    """SlowFast's definition in torch: an even spread over the span, rounded down."""
    span = max(1.0, t * s * fps / 30)
    delta = max(n - span, 0)
    if offset:
        starts = [math.floor(delta / 2)] if v == 1 else [j * math.floor(delta / (v - 1)) for j in range(v)]
    else:
        starts = [delta * j / v for j in range(v)]
    return [torch.linspace(x, x + span - 1, t).clamp(0, n - 1).long().tolist() for x in starts]


SETTINGS = [(8, 8), (32, 2), (16, 4), (64, 1), (4, 16), (5, 3), (1, 4), (13, 6)]


@pytest.mark.parametrize(("clip_length", "interval"), SETTINGS)
def test_slowfast_is_exact(clip_length, interval):
    """All lengths; and at other rates than 30 the interval is stretched: the clip lasts as long."""
    for n in range(1, 401):
        rates = (30, (25, 29.97, 60, 10, 23.976)[n % 5])
        for v, fps in itertools.product((1, 3, 10, 11), rates if n % 8 == 0 else rates[:1]):
            for protocol in ("slowfast", "slowfast_offset") if n % 8 == 0 else ("slowfast",):
                clips = clip_indices(
                    n, clip_length=clip_length, interval=interval, num_clips=v, protocol=protocol, fps=fps
                )
                assert clips.dtype == np.int64
                wanted = _slowfast(n, clip_length, interval, v, fps, offset=protocol == "slowfast_offset")
                assert clips.tolist() == wanted, (n, v, fps)


def test_slowfast_spans_the_same_time_at_any_rate():
    """64 frames at 30 a second are 128 at 60, and 32 at 15."""
    spans = [
        np.ptp(clip_indices(900, clip_length=8, interval=8, protocol="slowfast", fps=fps)[3]) for fps in (15, 30, 60)
    ]
    assert spans == [31, 63, 127]


def _mmaction2(n, t, s, v):
    """The definition of mmaction2 1.x in test mode, in Python's floats."""
    room = max(n - ((t - 1) * s + 1), 0)
    if t == 1:
        starts = [math.floor(j * (n / v) + n / v / 2) for j in range(v)]
    elif v == 1:
        starts = [room // 2]
    else:
        starts = [round(j * (room / (v - 1))) for j in range(v)]
    return [[(start + k * s) % n for k in range(t)] for start in starts]


@pytest.mark.parametrize(("clip_length", "interval"), SETTINGS)
def test_mmaction2_is_exact(clip_length, interval):
    for n, v in itertools.product(range(1, 401), (1, 2, 3, 7, 10, 11)):
        clips = clip_indices(n, clip_length=clip_length, interval=interval, num_clips=v, protocol="mmaction2")
        assert clips.dtype == np.int64
        assert clips.tolist() == _mmaction2(n, clip_length, interval, v), (n, v)


def _reference(protocol, n, t, s, v):
    """The formulas of the recipe, in fractions."""
    rows = []
    for j in range(v):
        if protocol == "nonlocal":
            start = math.floor(Fraction(n, v) * j)
            rows.append([(start + k * s) % n for k in range(t)])
            continue
        exact = Fraction(0) if v == 1 else Fraction(j, v - 1) * max(n - t * s, 0)
        low = math.floor(exact)
        start = low + (exact - low > Fraction(1, 2) or (exact - low == Fraction(1, 2) and low % 2 == 1))
        rows.append([min(start + k * s, n - 1) for k in range(t)])
    return rows


@pytest.mark.parametrize("protocol", ["nonlocal", "endpoint"])
@pytest.mark.parametrize("num_clips", [1, 2, 3, 7, 10])
def test_formulas_in_fractions(protocol, num_clips):
    for n in [*range(1, 40), *range(60, 70), 127, 128, 129, 250, 299, 300, 301, 1023, 9000]:
        for t, s in ((1, 1), (8, 1), (8, 8), (32, 2), (5, 3)):
            clips = clip_indices(n, clip_length=t, interval=s, num_clips=num_clips, protocol=protocol)
            assert clips.tolist() == _reference(protocol, n, t, s, num_clips), (n, t, s)


@pytest.mark.parametrize(
    ("protocol", "fps", "step"),
    [("nonlocal", 60, 8), ("mmaction2", 60, 8), ("slowfast", 30, 9), ("slowfast", 15, 31 / 7)],
)
def test_the_step_between_the_frames_of_a_clip(protocol, fps, step):
    assert clip_step(clip_length=8, interval=8, protocol=protocol, fps=fps) == pytest.approx(step)
    assert clip_step(clip_length=1, interval=8, protocol=protocol, fps=fps) == 8


@pytest.mark.parametrize(("num_clips", "starts", "lengths"), [(10, 0, 0), (7, 0, 0), (20, 8, 8), (30, 53, 40)])
def test_the_float_formula_of_the_released_code(num_clips, starts, lengths):
    """How often int(N / V * j) in floats differs from floor(N j / V), of N = 1 to 2000 frames: never for 10 clips.

    For some other numbers of clips a float ends just below a whole number now and then, and gives one frame less; only
    where N j / V is whole.
    """
    differences = []
    for n in range(1, 2001):
        exact = clip_indices(n, clip_length=1, interval=1, num_clips=num_clips)[:, 0].tolist()
        floats = [int(n / num_clips * j) for j in range(num_clips)]
        differences += [(n, j) for j in range(num_clips) if exact[j] != floats[j]]
        assert all(e - f in (0, 1) for e, f in zip(exact, floats, strict=True))
    assert all(n * j % num_clips == 0 for n, j in differences)
    assert (len(differences), len({n for n, _ in differences})) == (starts, lengths)


def test_random_starts_are_uniform_from_0_to_the_last_that_fits():
    """N = 20, 4 x 2: starts 0 to 12 inclusive; chi-squared over 13 starts, 1e-4 false alarms (12 degrees: 39.1)."""
    rng = np.random.default_rng(0)
    draws = np.stack([random_clip(20, clip_length=4, interval=2, rng=rng)[0] for _ in range(3900)])
    assert draws.dtype == np.int64
    assert (draws == draws[:, :1] + np.arange(0, 8, 2)).all()
    counts = np.bincount(draws[:, 0])
    assert len(counts) == 13
    assert ((counts - 300) ** 2 / 300).sum() < 39.1


@pytest.mark.parametrize(
    ("num_frames", "clip"),
    [(8, [0, 2, 4, 6]), (7, [0, 2, 4, 6]), (5, [0, 2, 4, 1]), (3, [0, 2, 1, 0]), (1, [0, 0, 0, 0])],
)
def test_short_videos_start_at_0_and_wrap_in_training(num_frames, clip):
    for seed in range(5):
        drawn = random_clip(num_frames, clip_length=4, interval=2, rng=np.random.default_rng(seed))
        assert drawn.shape == (1, 4)
        assert drawn[0].tolist() == clip


@pytest.mark.parametrize(
    ("num_frames", "clip"),
    [(20, [6, 8, 10, 12]), (21, [6, 8, 10, 12]), (8, [0, 2, 4, 6]), (5, [0, 2, 4, 1]), (1, [0, 0, 0, 0])],
)
def test_centre_clip(num_frames, clip):
    found = centre_clip(num_frames, clip_length=4, interval=2)
    assert found.dtype == np.int64
    assert found.tolist() == [clip]


def test_short_means_fewer_frames_than_clip_length_times_interval():
    assert span(32, 2) == 64
    assert is_short(63, clip_length=32, interval=2)
    assert not is_short(64, clip_length=32, interval=2)


@pytest.mark.parametrize("wrong", ["num_frames", "clip_length", "interval", "num_clips", "fps"])
@pytest.mark.parametrize("value", [0, -3])
def test_numbers_must_be_positive(wrong, value):
    numbers = {"num_frames": 100, "clip_length": 8, "interval": 2, "num_clips": 10} | {wrong: value}
    with pytest.raises(ValueError, match=f"{wrong} must be > 0, got {value}"):
        clip_indices(numbers.pop("num_frames"), **numbers)


@pytest.mark.parametrize("wrong", ["num_frames", "clip_length", "interval"])
def test_numbers_must_be_positive_in_training(wrong):
    numbers = {"num_frames": 100, "clip_length": 8, "interval": 2} | {wrong: 0}
    num_frames = numbers.pop("num_frames")
    with pytest.raises(ValueError, match=wrong):
        random_clip(num_frames, **numbers, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=wrong):
        centre_clip(num_frames, **numbers)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("mmaction", "mmaction2"), ("non-local", "nonlocal"), ("SlowFast", "slowfast"), ("endpoints", "endpoint")],
)
def test_an_unknown_protocol_gets_the_nearest_one(wrong, hint):
    with pytest.raises(ValueError, match=f"did you mean '{hint}'"):
        clip_indices(100, clip_length=8, interval=2, protocol=wrong)


def test_the_default_is_ten_nonlocal_clips():
    assert np.array_equal(
        clip_indices(100, clip_length=8, interval=2),
        clip_indices(100, clip_length=8, interval=2, num_clips=10, protocol="nonlocal"),
    )
