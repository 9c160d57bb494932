"""The examples in docstrings run and print what they say.

The example of `Predictor` needs a checkpoint; tests/inference/test_predictor.py runs it.
"""

from __future__ import annotations

import doctest
import importlib

import pytest

#: Modules with examples.
EXAMPLES = (
    "videogn.models.i3d",
    "videogn.models.weights",
    "videogn.norm.table",
    "videogn.video.clips",
    "videogn.video.decoders.decode",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
