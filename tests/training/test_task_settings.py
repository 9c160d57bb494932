"""The options of a task as the command line sees them."""

from __future__ import annotations

from jsonargparse._parameter_resolvers import get_signature_parameters

from videogn.training.task import VideoClassifier


def test_the_command_line_knows_the_type_of_every_option():
    """An annotation that stays text is an option that takes anything, in vain."""
    found = {parameter.name: parameter.annotation for parameter in get_signature_parameters(VideoClassifier)}
    assert {"optimizer", "scheduler", "scaling", "layer_decay", "ema", "label_smoothing", "class_weights"} <= set(found)
    assert [name for name, annotation in found.items() if isinstance(annotation, str)] == []
