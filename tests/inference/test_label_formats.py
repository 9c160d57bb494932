"""Rows in the formats of FiftyOne and Label Studio, against what their documentation shows."""

from __future__ import annotations

import itertools
import json

import pytest

from videogn.inference.bulk.label_formats import fiftyone_labels, label_studio_tasks

ROWS = [
    {"path": "clips/a b.mp4", "predictions": [{"label": "yoga", "score": 0.75}, {"label": "dance", "score": 0.25}]},
    {"path": "./clips//ü.tar.mp4", "predictions": [{"label": "dance", "score": 0.5}]},
    {"path": "clips/broken.mp4", "error": "file is empty"},
    {"path": "/data/c.mp4", "predictions": [{"label": "yoga", "score": 1.0}], "truncated": "1 of 2 frames decode: ..."},
]


def test_fiftyone():
    assert json.loads("".join(fiftyone_labels(iter(ROWS)))) == {
        "classes": ["yoga", "dance"],
        "labels": {
            "clips/a b": {"label": 0, "confidence": 0.75},
            "clips/ü.tar": {"label": 1, "confidence": 0.5},
            "clips/broken": None,
            "/data/c.mp4": {"label": 0, "confidence": 1.0},
        },
    }


def test_label_studio():
    tasks = json.loads("".join(label_studio_tasks(iter(ROWS))))
    assert [task["data"] for task in tasks] == [{"video": row["path"]} for row in ROWS]
    result = {"from_name": "label", "to_name": "video", "type": "choices", "value": {"choices": ["yoga"]}}
    assert tasks[0]["predictions"] == [{"model_version": "videogn", "score": 0.75, "result": [result]}]
    assert tasks[2]["predictions"] == []


@pytest.mark.parametrize(
    ("write", "nothing"), [(fiftyone_labels, {"labels": {}, "classes": []}), (label_studio_tasks, [])]
)
def test_no_row_is_valid_json(write, nothing):
    assert json.loads("".join(write(iter(())))) == nothing


@pytest.mark.parametrize("write", [fiftyone_labels, label_studio_tasks])
def test_rows_are_written_as_they_come(write):
    """Memory does not grow with their number."""
    pieces = write(itertools.repeat(ROWS[0]))
    assert "a b" in next(pieces)
    assert "a b" in next(pieces)
