"""Tests against one another: numbers by hand, by enumeration and by the normal approximation; what is refused."""

from __future__ import annotations

import itertools
import json
import math
import re

import numpy as np
import pytest
from tested_folders import PROTOCOL, scores_of, write_rows, write_tested

from videogn.evaluation.average_precision import average_precision
from videogn.evaluation.class_accuracy import mean_class_accuracy
from videogn.report.comparison.comparison import compare
from videogn.report.comparison.document import comparison_blocks
from videogn.report.comparison.outcomes import OUTSIDE, RELABELLED, UNLABELLED, join
from videogn.report.comparison.paired import drawn_videos, mean_over_classes, weighted_precision
from videogn.report.comparison.tested import read_tested
from videogn.report.comparison.wording import warnings
from videogn.report.comparison.written import write_comparison
from videogn.report.markdown import render_markdown
from videogn.report.page import render_page
from videogn.report.statistics import holm

#: (label, best class of A, best class of B).
ROWS = [
    *[("red", "red", "red")] * 4,
    *[("red", "green", "red")] * 6,
    ("red", "red", "blue"),
    ("green", "green", "green"),
    ("green", None, "green"),
    *[("blue", "red", "green")] * 2,
    *[("blue", "red", "blue")] * 2,
]


@pytest.fixture
def folders(tmp_path):
    return [write_rows(tmp_path / name, [(row[0], row[place]) for row in ROWS]) for name, place in (("a", 1), ("b", 2))]


def _compare(*folders, **options):
    return compare(join([read_tested(folder) for folder in folders], **options))


def test_by_hand(folders):
    """17 videos: A has 6 right, B 14; 9 are right in B only, 1 in A only."""
    found = _compare(*folders)
    (pair,) = found.pairs
    top1 = pair.measures["top-1"]
    assert (top1.first, top1.second) == (pytest.approx(600 / 17), pytest.approx(1400 / 17))
    assert top1.interval.mean == pytest.approx(800 / 17)
    # McNemar's exact p: 2 (C(10, 0) + C(10, 1)) / 2^10
    assert (pair.discordance.only_first, pair.discordance.only_second) == (1, 9)
    assert pair.discordance.p == pair.discordance.adjusted == pytest.approx(22 / 1024)
    by_class = pair.measures["mean-class"]
    assert by_class.first == pytest.approx(100 * mean_class_accuracy([5, 1, 0], [11, 2, 4]))
    assert by_class.second == pytest.approx(100 * mean_class_accuracy([10, 2, 2], [11, 2, 4]))
    assert by_class.interval.mean == pytest.approx(by_class.second - by_class.first)
    gains = [(one.name, one.videos, one.only_first, one.only_second) for one in pair.classes]
    assert gains == [("green", 2, 0, 1), ("blue", 4, 0, 2), ("red", 11, 1, 6)]
    assert [one.gain for one in pair.classes] == [pytest.approx(gain) for gain in (50, 50, 500 / 11)]
    assert len(pair.won) == 9
    assert pair.lost == (10,)
    assert found.outcomes.k is None  # top-3 of three classes says nothing


def test_order_and_subset_do_not_matter(folders, tmp_path):
    """B was tested in another order of videos and of classes, without the last video, with one of its own."""
    rows = [(f"/data/val/{row[0]}/{n}.mp4", row[0], row[2]) for n, row in enumerate(ROWS)]
    rows = [("/data/val/red/new.mp4", "red", "red"), *reversed(rows[:-1])]
    classes = ("blue", "red", "green")
    videos = [(path, label, scores_of(best, classes)) for path, label, best in rows]
    other = write_tested(tmp_path / "c", videos, classes=classes)
    found = _compare(folders[0], other)
    discordance = found.pairs[0].discordance
    assert (discordance.only_first, discordance.only_second) == (1, 8)
    assert len(found.outcomes.names) == 16
    assert found.outcomes.matched.missing == (("val/red/new.mp4",), ("val/blue/16.mp4",))


def test_moved_data(folders, tmp_path):
    rows = [(row[0], row[2]) for row in ROWS]
    places = [("/mnt/disk/k/val", "/mnt/disk/k"), ("k/val", "k"), ("/mnt/disk/k/val", "k")]
    for number, (place, root) in enumerate(places):
        moved = write_rows(tmp_path / str(number), rows, place=place, root=root)
        found = _compare(folders[0], moved)
        assert found.outcomes.matched.certain
        assert "relative to the root" in found.outcomes.matched.way
        assert found.outcomes.names[0] == "val/red/0.mp4"
        assert found.pairs == _compare(*folders).pairs
    # A list has no root: as many last parts as tell the videos apart, and no word of certainty without equal hashes.
    listed = write_rows(tmp_path / "l", rows, place="videos", root=None)
    found = _compare(folders[0], listed)
    assert found.pairs == _compare(*folders).pairs
    assert found.outcomes.matched.way == "file names"
    assert any("taken on trust" in warning for warning in warnings(found))


def test_equal_names_in_equal_roots_are_different_videos(tmp_path):
    rows = [("red", "red"), ("blue", "blue")]
    a = write_rows(tmp_path / "a", rows, place="/data/train")
    b = write_rows(tmp_path / "b", rows, place="/data/val")
    with pytest.raises(ValueError, match="no video in common"):
        _compare(a, b)


def test_names_that_are_not_unique(tmp_path):
    """Class folders with the same file names; and a video that is listed twice."""
    paths = ["red/0.mp4", "blue/0.mp4", "blue/0.mp4"]
    for name, place, best in (("a", "/x", "red"), ("b", "/y", "blue")):
        videos = [(f"{place}/{path}", path.split("/")[0], scores_of(best)) for path in paths]
        write_tested(tmp_path / name, videos, root=None, index_sha256="0" * 64)
    found = _compare(tmp_path / "a", tmp_path / "b")
    assert found.outcomes.names == tuple(paths)
    assert found.outcomes.matched.way == "the last 2 parts of their paths"
    assert found.outcomes.matched.certain
    assert (found.pairs[0].discordance.only_first, found.pairs[0].discordance.only_second) == (1, 2)


def test_labels_that_are_not_there_or_not_the_same(tmp_path):
    videos = [("/data/0.mp4", "red", scores_of("red")), ("/data/1.mp4", None, scores_of("red"))]
    a = write_tested(tmp_path / "a", [*videos, ("/data/2.mp4", "red", scores_of("red"))])
    b = write_tested(tmp_path / "b", [*videos, ("/data/2.mp4", "blue", scores_of("red"))])
    outcomes = join([read_tested(a), read_tested(b)])
    assert outcomes.names == ("0.mp4",)
    assert outcomes.left_out == {UNLABELLED: ("1.mp4",), RELABELLED: ("2.mp4",)}
    assert any("different labels" in warning for warning in warnings(compare(outcomes)))


def test_other_classes_are_refused_or_intersected(folders, tmp_path):
    classes = ("red", "green", "violet")
    rows = [(label if label != "blue" else "violet", "red") for label, *_ in ROWS]
    other = write_rows(tmp_path / "c", rows, classes=classes)
    with pytest.raises(ValueError, match=r"only in .*a: blue; only in .*c: violet; --intersect .* the 2 that all have"):
        _compare(folders[0], other)
    found = _compare(folders[0], other, intersect=True)
    assert found.outcomes.classes == ("red", "green")
    assert len(found.outcomes.names) == 13
    assert any("still chose among all of its own" in warning for warning in warnings(found))
    # One list of videos whose classes are merged elsewhere.
    merged = [(f"/data/val/{label}/{n}.mp4", "red", scores_of("red")) for n, (label, *_) in enumerate(ROWS)]
    outcomes = join([read_tested(folders[0]), read_tested(write_tested(tmp_path / "d", merged))])
    assert {reason: len(names) for reason, names in outcomes.left_out.items()} == {RELABELLED: 6}
    none = write_rows(tmp_path / "e", [("x", "x")], classes=("x", "y"))
    with pytest.raises(ValueError, match="no class in common, for instance 'red' and 'x'"):
        _compare(folders[0], none, intersect=True)
    assert OUTSIDE not in outcomes.left_out


def test_protocols_that_differ(folders, tmp_path):
    about = {
        "protocol": {**PROTOCOL, "clips": 10, "fps": 30.0},
        "decoder": "decord",
        "training": {"steps": 200, "optimizer": "SGD"},
        "model": {"norm": "gn"},
    }
    rows = [(row[0], row[2]) for row in ROWS]
    said = "\n".join(warnings(_compare(folders[0], write_rows(tmp_path / "c", rows, **about))))
    for text in (
        "protocol.clips: 2 in A and 10 in B",
        "protocol.fps: null in A and 30.0 in B",
        "decord",
        "training.steps",
    ):
        assert text in said
    assert "norm" not in said  # it is what is compared
    assert "optimizer" not in said
    assert not list(warnings(_compare(*folders)))


def test_three_tests_are_corrected_for_their_pairs(folders, tmp_path):
    third = write_rows(tmp_path / "c", [(row[0], row[0]) for row in ROWS])
    pairs = _compare(*folders, third).pairs
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    # A has 11 wrong, all right in C: p = 2 / 2^11; B 3 of 3: p = 1/4.
    p = [22 / 1024, 2 / 2**11, 0.25]
    assert [pair.discordance.p for pair in pairs] == pytest.approx(p)
    assert [pair.discordance.adjusted for pair in pairs] == pytest.approx([2 * p[0], 3 * p[1], p[2]])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_mean_over_classes_by_enumeration():
    """All 4^4 resamples of four videos of two classes."""
    values, classes = np.array([100.0, 0.0, -100.0, 100.0]), np.array([0, 0, 0, 1])
    means = [
        np.mean([values[list(drawn)][classes[list(drawn)] == k].mean() for k in set(classes[list(drawn)])])
        for drawn in itertools.product(range(4), repeat=4)
    ]
    found = mean_over_classes(values, classes, resamples=40_000)
    assert found.mean == pytest.approx(50)
    exact = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    assert [found.low, found.high] == pytest.approx(exact.tolist(), abs=1e-9)


def test_mean_over_classes_against_the_normal_approximation():
    rng = np.random.default_rng(0)
    classes = rng.integers(5, size=4000)
    values = rng.choice([-100.0, 0.0, 100.0], p=[0.1, 0.7, 0.2], size=4000)
    found = mean_over_classes(values, classes)
    parts = [values[classes == k] for k in range(5)]
    half = 1.959964 * math.sqrt(sum(part.var() / len(part) for part in parts)) / 5
    assert found.mean == pytest.approx(np.mean([part.mean() for part in parts]))
    assert found.low == pytest.approx(found.mean - half, abs=0.06 * half)
    assert found.high == pytest.approx(found.mean + half, abs=0.06 * half)


def test_weighted_precision_repeats_videos():
    """Against the plain average precision of the videos written out as often as they count, with ties and failures."""
    rng = np.random.default_rng(1)
    scores = rng.choice([0.1, 0.2, 0.5, 0.9, np.nan], size=40).astype(np.float32)
    shown = rng.random(40) < 0.3
    weights = drawn_videos(40, resamples=30, seed=2)
    assert (weights.sum(axis=0) == 40).all()
    expected = []
    for drawn in weights.T:
        some, flags = np.repeat(scores, drawn.astype(int)), np.repeat(shown, drawn.astype(int))
        ranked = ~np.isnan(some)
        expected.append(average_precision(some[ranked], flags[ranked], int(flags.sum())))
    assert weighted_precision(scores, shown, weights) == pytest.approx(np.array(expected, float))
    assert np.isnan(weighted_precision(scores, np.zeros(40, bool), weights)).all()
    assert (weighted_precision(np.full(40, np.nan), np.ones(40, bool), weights) == 0).all()


def _several(folder, noise, **options):
    """60 videos of up to three labels; one failed, one shows nothing. The name of a class holds what joins labels."""
    classes = ("red", "a;b", "b")
    rng = np.random.default_rng(4)
    flags = rng.random((60, 3)) < 0.4
    flags[7] = False
    scores = np.clip(0.3 + 0.4 * flags + noise * np.random.default_rng(int(100 * noise)).normal(size=flags.shape), 0, 1)
    videos = [
        (f"/data/{n}.mp4", tuple(np.array(classes)[row]), None if n == 3 else scores[n]) for n, row in enumerate(flags)
    ]
    return write_tested(folder, videos, classes=classes, several_labels=True, **options)


def test_several_labels(tmp_path):
    folders = [_several(tmp_path / str(noise), noise, clips=True) for noise in (0.2, 0.6)]
    found = _compare(*folders)
    summaries = [json.loads((folder / "results.json").read_text()) for folder in folders]
    measure = found.pairs[0].measures["mAP"]
    assert (measure.first, measure.second) == tuple(
        pytest.approx(100 * summary["over_all"]["map"], abs=1e-4) for summary in summaries
    )
    assert measure.interval.mean == pytest.approx(measure.second - measure.first)
    assert measure.interval.low < measure.interval.mean < measure.interval.high < 0
    assert "best class shown" in found.pairs[0].measures
    assert {gain.name for gain in found.pairs[0].classes} == {"red", "a;b", "b"}
    assert "Average precision" in render_markdown(comparison_blocks(found), tmp_path)


def test_several_labels_without_probabilities(tmp_path):
    folders = [_several(tmp_path / "a", 0.2, clips=True), _several(tmp_path / "b", 0.6)]
    found = _compare(*folders)
    assert list(found.pairs[0].measures) == ["best class shown"]
    assert any("save_clip_probabilities" in warning for warning in warnings(found))
    with pytest.raises(ValueError, match="one label each, others of several"):
        _compare(folders[0], write_rows(tmp_path / "c", [("red", "red")]))


def test_the_same_test_does_not_differ(folders):
    (pair,) = _compare(folders[0], folders[0]).pairs
    interval = pair.measures["top-1"].interval
    assert (interval.mean, interval.low, interval.high, pair.discordance.p) == (0, 0, 0, 1)
    assert not pair.won
    assert not pair.lost


def test_files_hold_any_names(tmp_path):
    classes = ('<b>"x"</b>', "a|b`c`", "é\u202e;\n")
    videos = [(f"/data/<i>/{n} & '|.mp4", classes[n], scores_of(classes[n], classes)) for n in range(3)]
    a = write_tested(tmp_path / "a", videos, classes=classes)
    wrong = [(path, label, scores_of(classes[0], classes)) for path, label, _ in videos]
    found = _compare(a, write_tested(tmp_path / "b", wrong, classes=classes))
    page = write_comparison(found, tmp_path / "out")
    html = page.read_text(encoding="utf-8")
    assert "<i>" not in html
    assert '<b>"x"' not in html
    assert "the file is not there" in html
    content = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert content["pairs"][0]["only_first_right"] == ["<i>/1 & '|.mp4", "<i>/2 & '|.mp4"]
    assert content["pairs"][0]["measures"]["top-1"]["second"] == pytest.approx(100 / 3)
    markdown = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)<[bi]>", markdown)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"compare.html", "compare.md", "compare.json"}


def test_what_is_no_test(tmp_path, folders):
    with pytest.raises(FileNotFoundError, match=r"no results\.json in "):
        read_tested(tmp_path)
    assert read_tested(folders[0] / "results.json").folder == folders[0]
    renamed = folders[1] / "results.json"
    renamed.write_text(renamed.read_text().replace('"blue"', '"violet"'))
    with pytest.raises(ValueError, match=r"names the class 'blue', which results\.json does not list"):
        read_tested(folders[1])


def test_pictures_of_the_clips(tmp_path):
    from videogn.video.encode import write_video

    path = tmp_path / "data" / "red" / "0.mp4"
    path.parent.mkdir(parents=True)
    write_video(path, np.random.default_rng(0).integers(255, size=(24, 32, 32, 3), dtype=np.uint8), fps=10)
    rows = [[(str(path), "red", scores_of(best))] for best in ("red", "blue")]
    found = _compare(*(write_tested(tmp_path / str(n), some, root=None) for n, some in enumerate(rows)))
    html = render_page(comparison_blocks(found))
    assert html.count("data:image/jpeg") == 2  # frames 0 and 16
    assert path.as_uri() in html
    assert "label red; A: red (80 %); B: blue (80 %)" in html
