"""Calibration, and accuracy against the number of clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from videogn.evaluation.calibration import BINS, calibration
from videogn.evaluation.proportions import wilson_interval
from videogn.report.clip_counts import read_calibration, read_hits
from videogn.report.document_blocks import DASH, Block, Heading, Paragraph, Picture, Table
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.report.style import BLUE, VERMILLION, new_figure, plain_axes, save_figure
from videogn.system.sizes import counted

_NO_CLIPS = (
    "The probabilities of the clips were not saved: {} can be shown after a test with "
    "--model.save_clip_probabilities true."
)


def calibration_of(results: ResultsFolder) -> dict[str, Any]:
    """Return what results.json says of calibration; in those of earlier versions, what the other files allow to say."""
    if "calibration" in results.summary:
        return dict(results.summary["calibration"])
    if results.clips_file.is_file():
        return read_calibration(results.clips_file, len(results.classes))
    known = (results.labels >= 0) & (results.predicted >= 0)
    return calibration(results.confidence[known], results.right[known])


def calibration_blocks(results: ResultsFolder, figures: Path) -> list[Block]:
    """Show the reliability diagram, and the errors of calibration."""
    found = calibration_of(results)
    if results.several_labels or not found["bins"]:
        return []
    measures = [
        ["expected calibration error (ECE)", DASH if found["ece"] is None else f"{100 * found['ece']:.2f} %"],
        ["negative log-likelihood (NLL)", _number(found["nll"])],
        ["Brier score", _number(found["brier"])],
    ]
    caption = (
        f"Over {counted(found['videos'], 'video')} with a label and scores. ECE: mean distance between probability "
        f"and accuracy, in {BINS} equal bins of the probability of the best class. NLL: mean of −log of the "
        "probability of the video's class; a uniform guess has "
        f"{np.log(len(results.classes)):.2f}. Brier score: mean squared distance from the right answer, from 0 to 2."
    )
    blocks: list[Block] = [Heading("Calibration"), Table(["", "value"], measures, caption)]
    if found["nll"] is None:
        blocks.append(Paragraph(_NO_CLIPS.format("NLL and Brier score")))
    caption = (
        "Reliability diagram: accuracy against probability of the best class. Points below the diagonal are "
        "over-confident. Bars: 95 % intervals. Below, how many videos are in each bin."
    )
    return [*blocks, Picture(_plot_reliability(found, figures / "reliability.png"), caption, "Reliability diagram.")]


def clip_number_blocks(results: ResultsFolder, figures: Path) -> list[Block]:
    """Show the accuracy with fewer clips, from the saved probabilities of each."""
    if results.several_labels:
        return []
    title = Heading("Number of test clips")
    if not results.clips_file.is_file():
        return [title, Paragraph(_NO_CLIPS.format("accuracy with fewer clips"))]
    try:
        hits = read_hits(results.clips_file, len(results.classes)).hits
    except ValueError as error:
        return [title, Paragraph(f"Not shown: {error}.")]
    if not hits.size or hits.shape[1] < 2:
        return []
    accuracies = hits.mean(axis=0)
    caption = (
        f"Top-1 accuracy with fewer of the {hits.shape[1]} clips a video, spread evenly: from "
        f"{100 * accuracies[0]:.1f} % with one to {100 * accuracies[-1]:.1f} % with all, over "
        f"{counted(len(hits), 'video')}, a failed one being wrong. The band is the 95 % interval over videos. The "
        "vertical axis need not begin at 0."
    )
    picture = _plot_clip_numbers(accuracies, len(hits), figures / "test_clips.png")
    return [title, Picture(picture, caption, "Accuracy against the number of test clips.")]


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _plot_reliability(found: Mapping[str, Any], path: Path) -> Path:
    bins = found["bins"]
    confidence, top1 = (100 * np.array([one[key] for one in bins]) for key in ("confidence", "top1"))
    ends = 100 * np.array([wilson_interval(one["top1"], one["videos"]) for one in bins]).T
    figure = new_figure(5.6, 5.8)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    for axes in (above, below):
        plain_axes(axes)
    above.plot([0, 100], [0, 100], color="0.5", linewidth=1, linestyle="--")
    above.errorbar(confidence, top1, yerr=np.abs(ends - top1), color=BLUE, marker="o", capsize=3, elinewidth=1)
    above.set(xlim=(0, 100), ylim=(0, 101), ylabel="top-1 accuracy (%)")
    left, right = (100 * np.array([one[key] for one in bins]) for key in ("above", "up_to"))
    below.bar((left + right) / 2, [one["videos"] for one in bins], width=0.9 * (right - left), color=VERMILLION)
    below.set(xlabel="probability of the best class (%)", ylabel="videos")
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return save_figure(figure, path)


def _plot_clip_numbers(accuracies: np.ndarray, videos: int, path: Path) -> Path:
    numbers = np.arange(1, len(accuracies) + 1)
    low, high = 100 * np.array([wilson_interval(float(share), videos) for share in accuracies]).T
    figure = new_figure(5.6, 3.6)
    axes = figure.subplots()
    plain_axes(axes)
    axes.fill_between(numbers, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(numbers, 100 * accuracies, color=BLUE, marker="o")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="test clips a video", ylabel="top-1 accuracy (%)")
    return save_figure(figure, path)
