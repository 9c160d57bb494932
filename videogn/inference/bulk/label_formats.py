"""Rows of predictions as other programs' labels: FiftyOne and Label Studio. Neither is needed.

Only the best class of a video is a label; a video that failed has none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from videogn.inference.bulk.rows import Row

#: Name of the tags in Label Studio's configuration: <Video name="video" .../> <Choices name="label" toName="video">.
_CHOICES, _VIDEO = "label", "video"


def fiftyone_labels(rows: Iterable[Row]) -> Iterator[str]:
    """labels.json of a FiftyOneImageClassificationDataset, which FiftyOne reads for videos as well.

    A video goes by its path, a relative one without its suffix, as FiftyOne looks it up; its label is a number in
    `classes`, with a confidence, or null. The classes, which are known when all rows are, come last.
    """
    classes: dict[str, int] = {}
    before = '{"labels": {\n'
    for row in rows:
        label: dict[str, Any] | None = None
        for best in row.get("predictions", ())[:1]:
            label = {"label": classes.setdefault(best["label"], len(classes)), "confidence": best["score"]}
        path = os.path.normpath(row["path"])
        name = path if os.path.isabs(path) else os.path.splitext(path)[0]
        yield f"{before}{json.dumps(name, ensure_ascii=False)}: {json.dumps(label)}"
        before = ",\n"
    yield ("\n" if before == ",\n" else before) + f'}}, "classes": {json.dumps(list(classes), ensure_ascii=False)}}}\n'


def label_studio_tasks(rows: Iterable[Row]) -> Iterator[str]:
    """Tasks for Label Studio, each with the predicted choice, which it shows for correction; a JSON array."""
    before = "[\n"
    for row in rows:
        predictions = [_label_studio_choice(best) for best in row.get("predictions", ())[:1]]
        task = {"data": {_VIDEO: row["path"]}, "predictions": predictions}
        yield before + json.dumps(task, ensure_ascii=False)
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _label_studio_choice(best: dict[str, Any]) -> dict[str, Any]:
    choice = {"from_name": _CHOICES, "to_name": _VIDEO, "type": "choices", "value": {"choices": [best["label"]]}}
    return {"model_version": "videogn", "score": best["score"], "result": [choice]}
