"""What the order of a run's training videos depends on, in its checkpoints: seed, number of videos, sampling."""

from __future__ import annotations

import logging
from typing import Any

from videogn.system.ranks import rank

_log = logging.getLogger(__name__)

#: What an order depends on besides the seed -> what it is now, and was.
_SAID = {"videos": "%d training videos, %d", "sampling": "--data.sampling %s, %s"}


def continued(order: dict[str, Any], **now: Any) -> dict[str, Any]:
    """Keep the seed of an order; what it depends on otherwise is as it is now, and a change is said.

    Args:
        order: The order when the run began, or as its checkpoint says.
        **now: Number of videos and sampling.
    """
    before = {"sampling": "instance", **order}  # older checkpoints lack it
    for name in now:
        if before[name] != now[name] and rank() == 0:
            line = f"{_SAID[name]} when the run began: it continues in another order"
            _log.warning(line, now[name], before[name])
    return {**order, **now}
