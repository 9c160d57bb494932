"""How often a training video is drawn, where the classes have uneven numbers of videos.

A class of n videos is drawn with a probability proportional to n^q, and then one of its videos, each alike (Kang et al.
2020, "Decoupling Representation and Classifier for Long-Tailed Recognition", section 3, equation 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videogn.data.video_index import VideoIndex

#: Name of the sampling -> q. With 1, every video is drawn alike, in fact once an epoch.
EXPONENTS = {"instance": 1.0, "class_balanced": 0.0, "square_root": 0.5}


def draw_probabilities(index: VideoIndex, sampling: str) -> NDArray[np.float64] | None:
    """Compute the probability of each video in one draw.

    Args:
        index: Usable training videos, each with a label.
        sampling: A key of `EXPONENTS`.

    Returns:
        Probabilities (videos,), which sum to 1; None for `instance`, where no video is drawn twice in an epoch.
    """
    if sampling == "instance":
        return None
    counts = index.counts()
    labels = index.records.table["label"].chunk(0).to_numpy()
    of_video = counts[labels] ** (EXPONENTS[sampling] - 1)  # n^q / n
    return of_video / of_video.sum()


def about_draws(index: VideoIndex, sampling: str) -> str:
    """Say how many videos the classes have, and how often they are drawn in an epoch.

    Args:
        index: Usable training videos, each with a label.
        sampling: A key of `EXPONENTS`, not `instance`.

    Returns:
        A line such as "class_balanced sampling: 2 to 90 training videos a class, each class drawn about 46 times an
        epoch".
    """
    counts = index.counts()
    counts = counts[counts > 0]
    shares = counts ** EXPONENTS[sampling]
    drawn = counts.sum() * shares / shares.sum()
    return (
        f"{sampling} sampling: {_range(counts)} training videos a class, each class drawn about {_range(drawn)} times "
        "an epoch"
    )


def _range(numbers: NDArray[np.generic]) -> str:
    least, most = (f"{number:.0f}" for number in (numbers.min(), numbers.max()))
    return least if least == most else f"{least} to {most}"
