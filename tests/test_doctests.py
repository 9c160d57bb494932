"""The examples in docstrings run and print what they say.

The example of `Predictor` needs a checkpoint; tests/inference/test_predictor.py runs it.
"""

from __future__ import annotations

import doctest
import importlib

import pytest

#: Modules with examples, and the number of their statements.
EXAMPLES = {
    "videogn.video.clips": 2,
    "videogn.video.decoders.decode": 7,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module(name):
    result = doctest.testmod(importlib.import_module(name))
    assert (result.failed, result.attempted) == (0, EXAMPLES[name])
