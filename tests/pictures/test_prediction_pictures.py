"""Figures of predictions and explanations: what is drawn, whatever the names hold."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.text import Text

from videogn.pictures.clip_strip import ClipFrame, chosen_clips
from videogn.pictures.explanation_figure import explanation_figure
from videogn.pictures.prediction_figure import prediction_figure
from videogn.report.style import save_figure

TIMES = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0)]
PROBABILITIES = np.array([[0.1, 0.6, 0.3], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], np.float32)
ODD = [
    "price $5 and $6",
    "two\nlines",
    "x_{^$",
    "قفز",
    "跳舞",
    "🎉",
    "\udcff",
    "",
    " ",
    "a" * 500,
    "back\\slash",
    "\x00",
]


def frames(count, shape=(24, 32)):
    return [ClipFrame(np.full((*shape, 3), 9 * number, np.uint8), 0.5 * number) for number in range(count)]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def panels(figure):
    return figure.findobj(Axes)


def panel(figure, label):
    [found] = [axes for axes in panels(figure) if label in axes.get_xlabel()]
    return found


def test_the_figure_holds_the_numbers():
    figure = prediction_figure("a $b$.mp4", frames(3), ["run", "jump", "sit"], TIMES, PROBABILITIES, top_k=2)
    bars = panel(figure, "mean over the clips")
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([70, 20])
    assert [label.get_text() for label in bars.get_yticklabels()] == ["jump", "sit"]
    lines = panel(figure, "middle of the clip").lines
    assert [line.get_xdata().tolist() for line in lines] == [[1, 2, 3]] * 2
    np.testing.assert_allclose([line.get_ydata() for line in lines], [[60, 50, 100], [30, 30, 0]], rtol=1e-6)
    assert {"a $b$.mp4", "0.00 s", "0.50 s", "1.00 s", "70.0%", "20.0%"} <= set(texts(figure))


def test_lines_are_in_the_order_of_time():
    """Clips of some protocols need not be."""
    figure = prediction_figure("a", frames(1), ["x", "y", "z"], TIMES[::-1], PROBABILITIES, top_k=1)
    [line] = panel(figure, "middle of the clip").lines
    np.testing.assert_allclose(line.get_ydata(), [100, 50, 60], rtol=1e-6)


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_drawn(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = prediction_figure(name, frames(1), [name] * 3, TIMES, PROBABILITIES)
        save_figure(figure, tmp_path / "a.png", dpi=30)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("shape", [(16, 90), (90, 16), (1, 1)])
@pytest.mark.parametrize("count", [1, 10])
def test_strips_of_any_shape_have_room(shape, count, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(
            prediction_figure("a", frames(count, shape), ["x", "y", "z"], TIMES, PROBABILITIES, top_k=400),
            tmp_path / "a.png",
            dpi=30,
        )
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_a_strip_shows_at_most_ten_clips_from_the_first_to_the_last():
    assert chosen_clips(3) == [0, 1, 2]
    assert chosen_clips(10) == list(range(10))
    assert len(chosen_clips(31)) == 10
    assert chosen_clips(31)[::9] == [0, 30]
    assert chosen_clips(1) == [0]


def test_an_explanation_shows_frames_twice_and_the_evidence_over_time():
    heat = [np.zeros((24, 32), np.float32), np.pad(np.ones((8, 8), np.float32), ((0, 16), (0, 24)))]
    over_time = ([0.0, 1.0, 2.0, 9.0], np.array([0.1, 0.2, 0.05, 0.1]))
    figure = explanation_figure("a.mp4", "jump", frames(2), heat, over_time, TIMES, PROBABILITIES[:, 1])
    pictures = [image.get_array() for image in figure.findobj(AxesImage)]
    assert len(pictures) == 4
    same = [np.array_equal(pictures[number], pictures[number + 2]) for number in range(2)]
    assert same == [True, False]  # no evidence leaves a frame as it is
    changed = np.any(pictures[3] != pictures[1], axis=2)
    assert changed[:8, :8].all()
    assert not changed[11:].any()
    [curve] = [axes.lines[0] for axes in panels(figure) if "evidence" in axes.get_ylabel()]
    np.testing.assert_allclose(curve.get_ydata(), [50, 100, 25, np.nan, 50])  # it breaks where no clip was
    np.testing.assert_allclose(curve.get_xdata(), [0, 1, 2, np.nan, 9])
    assert any("evidence for: jump" in text for text in texts(figure))
