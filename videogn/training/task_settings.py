"""What a task is told beside its network, and what of it a checkpoint decides."""

from __future__ import annotations

from dataclasses import dataclass, fields

from videogn.choices import NetworkInput
from videogn.training.augmentation import AugmentationSettings
from videogn.training.freezing import FreezingSettings
from videogn.training.objective import ObjectiveSettings
from videogn.training.optimisation import Optimisation

#: Names of the fields of `NetworkInput`.
INPUT = tuple(field.name for field in fields(NetworkInput))
#: Hyper-parameters that define the network and its input. A checkpoint decides them.
CONTRACT = ("arch", "norm", "norm_options", "arch_options", *INPUT)


@dataclass(frozen=True, kw_only=True)
class TaskSettings(Optimisation, FreezingSettings, ObjectiveSettings, AugmentationSettings, NetworkInput):
    """What the network sees and how it is trained, as one value. Args: those of all.

    jsonargparse looks up the types of fields in the modules of this class and of its first base only: the other bases
    do with built-in types.
    """

    def __post_init__(self) -> None:
        NetworkInput.__post_init__(self)
        Optimisation.__post_init__(self)
        ObjectiveSettings.__post_init__(self)
        FreezingSettings.__post_init__(self)
        AugmentationSettings.__post_init__(self)
