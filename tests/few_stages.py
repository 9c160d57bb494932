"""`i3d_tiny` without its last stages, for what takes long for each of them: to compile a network."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from videogn.models.assembly import BlockNetwork, assemble
from videogn.models.i3d import TINY, few_groups
from videogn.norm import make_norm


def _build(stages, num_classes=8, norm="gn", norm_options=None, width=16, memory_mode="plain") -> BlockNetwork:
    """Stem, pools, a block that keeps the size, one or two that halve it, and head; arguments as for `i3d_tiny`."""
    architecture = replace(TINY, width=width, temporal_kernels=TINY.temporal_kernels[:stages])
    factory = few_groups(make_norm(norm, **(norm_options or {})))
    return assemble(architecture, factory, num_classes, 0.0, (None, None, None), memory_mode)


two_stages = partial(_build, 2)
three_stages = partial(_build, 3)
