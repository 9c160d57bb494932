"""What is drawn into the frames of an overlay: the running prediction, and the evidence for a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from videogn.axes import Crop
from videogn.pictures.caption import Caption
from videogn.pictures.heat import heated
from videogn.pictures.overlay import Draw
from videogn.pictures.running_prediction import running_probabilities


class RunningPrediction:
    """Writes the best classes of each moment into frames.

    Args:
        class_names: Names of the K classes.
        clip_times: Start and end of each clip, seconds.
        clip_probabilities: Probabilities of each clip (clips, K).
    """

    def __init__(
        self,
        class_names: Sequence[str],
        clip_times: Sequence[tuple[float, float]],
        clip_probabilities: NDArray[np.float32],
    ) -> None:
        self._names = class_names
        self._clips = (clip_times, clip_probabilities)

    def scores_at(self, time: float, most: int) -> list[tuple[str, float]]:
        """Return the best classes of a moment, at most `most`, and their probabilities."""
        [probabilities] = running_probabilities(*self._clips, np.array([time]))
        best = np.argsort(-probabilities, kind="stable")[:most].tolist()
        return [(self._names[number], float(probabilities[number])) for number in best]

    def __call__(self, height: int, width: int) -> Draw:
        """Return the function that draws into frames of a size."""
        caption = Caption(height, width)

        def draw(picture: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
            caption.draw(picture, self.scores_at(time, caption.lines))
            return picture

        return draw


class Evidence:
    """Colours frames where a class came from, and writes the class and its running probability below.

    Args:
        class_name: The class.
        clip_times: Start and end of each clip, seconds. Frames of no clip stay as they are.
        probabilities: Probability of the class in each clip (clips,).
        heat: Evidence on the frames that the network saw, float32 (N, h, w), from 0 to 1.
        frame_times: When these are displayed, seconds (N,), increasing. Between two, the evidence goes over from one to
            the other.
        region: (height, width) of a frame -> the part of it that the network saw.
    """

    def __init__(
        self,
        class_name: str,
        clip_times: Sequence[tuple[float, float]],
        probabilities: NDArray[np.float32],
        heat: NDArray[np.float32],
        frame_times: Sequence[float],
        region: Callable[[int, int], Crop],
    ) -> None:
        self._prediction = RunningPrediction([class_name], clip_times, probabilities[:, None])
        self._clip_times = clip_times
        self._heat = heat
        self._frame_times = np.asarray(frame_times)
        self._region = region

    def __call__(self, height: int, width: int) -> Draw:
        """Return the function that draws into frames of a size."""
        caption = Caption(height, width)
        region = self._region(height, width)

        def draw(picture: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
            if any(start <= time <= end for start, end in self._clip_times):
                seen = region.cut(picture)
                seen[:] = heated(seen, self._at(time))
            caption.draw(picture, self._prediction.scores_at(time, 1))
            return picture

        return draw

    def _at(self, time: float) -> NDArray[np.float32]:
        """The evidence of a moment, float32 (h, w)."""
        place = np.interp(time, self._frame_times, np.arange(len(self._frame_times)))
        before = int(place)
        after = min(before + 1, len(self._heat) - 1)
        heat: NDArray[np.float32] = self._heat[before] + (self._heat[after] - self._heat[before]) * np.float32(
            place - before
        )
        return heat
