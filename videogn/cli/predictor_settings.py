"""Options of a command -> arguments of `Predictor`."""

from __future__ import annotations

from typing import Any

#: Arguments of `Predictor` that options have the names of; a command need not have all.
_OF_THE_SAME_NAME = (
    *("protocol", "crops", "fps", "decoder", "frame_rate", "device", "precision", "compile"),
    *("use_truncated", "time_limit", "trust"),
)


def predictor_settings(options: Any) -> dict[str, Any]:
    """Return the keyword arguments of `Predictor` that the options of a command say.

    Args:
        options: Options dataclass of a command that predicts.
    """
    given = vars(options)
    same = {name: given[name] for name in _OF_THE_SAME_NAME if name in given}
    return {"num_clips": options.clips, **same}
