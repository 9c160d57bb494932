"""A predictor that is called like the video-classification pipeline of transformers, and answers like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from videogn.checks import require_positive
from videogn.inference.prediction import Prediction
from videogn.inference.videos import is_one

#: What the pipeline says of a video: {"score": 0.9, "label": "yoga"}, best first.
Labels = list[dict[str, Any]]


class VideoPipeline:
    """A function from videos to labels, in the manner of transformers 5.

    A video gives a list of labels, a list of videos a list of such lists, and any other iterable an iterator over them.
    A video that cannot be read raises an error, as it does there.

    Args:
        predict: `Predictor.predict`.
        top_k: Number of classes to name, at most. Default: 5.

    Raises:
        ValueError: `top_k` is not positive.
    """

    task = "video-classification"

    def __init__(self, predict: Callable[..., Iterator[Prediction]], *, top_k: int = 5) -> None:
        require_positive("top_k", top_k)
        self._predict = predict
        self._top_k = top_k

    def __call__(self, inputs: Any, *, top_k: int | None = None, num_workers: int = 0) -> Any:
        """Label videos.

        Args:
            inputs: A video, or several: everything that `Predictor.predict` takes.
            top_k: Number of classes to name, at most. Default: that of the pipeline.
            num_workers: Number of processes that decode ahead. Default: 0.

        Returns:
            `[{"score", "label"}, ...]` for a video, best first; a list of these for a list, and an iterator for any
            other iterable.

        Raises:
            ValueError: A video cannot be read, or a number is out of range.
        """
        found = self._predict(inputs, top_k=self._top_k if top_k is None else top_k, workers=num_workers)
        labels = map(_labels, found)
        if is_one(inputs):
            return next(labels)
        return list(labels) if isinstance(inputs, list) else labels


def _labels(prediction: Prediction) -> Labels:
    if prediction.error is not None:
        raise ValueError(f"{prediction.path}: {prediction.error}")
    return [{"score": score, "label": label} for label, score in prediction.scores]
