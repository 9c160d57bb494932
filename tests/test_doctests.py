"""The examples in docstrings run and print what they say.

The example of `Predictor` needs a checkpoint; tests/inference/test_predictor.py runs it.
"""

from __future__ import annotations

import doctest
import importlib

import pytest

#: Modules with examples.
MODULES = (
    "videogn.evaluation.average_precision",
    "videogn.evaluation.class_accuracy",
    "videogn.models.i3d",
    "videogn.models.weights",
    "videogn.norm.table",
    "videogn.report.statistics",
    "videogn.training.objective",
    "videogn.video.clips",
    "videogn.video.decoders.decode",
)


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    failed, attempted = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted
    assert not failed
