"""The row of a video: what is known of it once it is scored, as files and other programs get it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videogn.data.stored_paths import stored_path

if TYPE_CHECKING:
    from videogn.inference.prediction import Prediction

#: `path`, and either `predictions`, a list of {"label", "score"} with the best first, or `error`, a reason; `truncated`
#: where the predictions are of a part of the video only; `clips`, the number used, where a rule stops early.
Row = dict[str, Any]


def row_of(prediction: Prediction) -> Row:
    """Return the row of a prediction.

    Its path is the text that the video was named by; one that is not UTF-8 is a file URL with percent-encoded bytes.
    """
    path = stored_path(prediction.path)
    if prediction.error is not None:
        return {"path": path, "error": prediction.error}
    row: Row = {"path": path, "predictions": [{"label": name, "score": score} for name, score in prediction.scores]}
    more = {"truncated": prediction.truncated, "clips": prediction.clips}
    return row | {name: value for name, value in more.items() if value is not None}
