"""The data that a study makes for itself: the motion set, or a small set of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from videogn.choices import ImageSettings, MotionSettings
from videogn.study.yaml_values import check_keys, integer, mapping
from videogn.system.cores import available_cores

Progress = Callable[[int, int], None]
#: Numbers that may be left to the data set.
_OPTIONAL = ("val_videos_per_class", "images_per_class")


@dataclass(frozen=True)
class OwnData:
    """A data set that is written into the folder of a study.

    Attributes:
        kind: The key of the grid that says so, a key of `OWN_DATA`; also the name of its folder.
        parameters: Its parameters, as the grid has them.
    """

    kind: str
    parameters: Mapping[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """What a result depends on. Studies of the motion set are older than the kinds: they have no name of it."""
        return dict(self.parameters) if self.kind == "motion" else {self.kind: dict(self.parameters)}

    def count(self) -> tuple[int, int, int]:
        """Number of classes, of training videos and of validation videos, before they are made."""
        return OWN_DATA[self.kind].count(self.parameters)

    def write(self, out: Path, progress: Progress) -> Path:
        """Write the data set into the folder of a study; return its own folder.

        Args:
            out: Folder of the study.
            progress: Called with (videos written, all videos).
        """
        OWN_DATA[self.kind].write(out / self.kind, self.parameters, progress)
        return out / self.kind


@dataclass(frozen=True)
class _Kind:
    settings: type[MotionSettings | ImageSettings]
    needed: str
    count: Callable[[Mapping[str, Any]], tuple[int, int, int]]
    write: Callable[[Path, Mapping[str, Any], Progress], Path]


def read_own_data(content: Mapping[str, Any]) -> OwnData | None:
    """Read which data set a grid makes, if any.

    Args:
        content: The grid.

    Returns:
        The data set, looked at, or None.

    Raises:
        ValueError: There are two, or a key or value of it is wrong.
    """
    kinds = [kind for kind in OWN_DATA if content.get(kind) is not None]
    if len(kinds) > 1:
        raise ValueError(f"a study makes one data set for itself, got {' and '.join(kinds)}")
    for kind in kinds:
        parameters = mapping(kind, content[kind])
        settings, needed = OWN_DATA[kind].settings, OWN_DATA[kind].needed
        check_keys(f"key of {kind}", parameters, [field.name for field in fields(settings)])
        if needed not in parameters:
            raise ValueError(f"{kind} must say {needed}, got {parameters}")
        for name, value in parameters.items():
            if name != "name" and (value is not None or name not in _OPTIONAL):
                integer(name, value, least=0)
        settings(**parameters)
        return OwnData(kind, parameters)
    return None


def _count_motion(parameters: Mapping[str, Any]) -> tuple[int, int, int]:
    from videogn.data.synthetic.motion import MOTIONS

    settings, classes = MotionSettings(**parameters), len(MOTIONS)
    return classes, settings.videos_per_class * classes, settings.val_count * classes


def _write_motion(folder: Path, parameters: Mapping[str, Any], progress: Progress) -> Path:
    from videogn.data.synthetic.writing import write_motion_dataset

    return write_motion_dataset(folder, MotionSettings(**parameters), workers=available_cores(), progress=progress)


def _count_images(parameters: Mapping[str, Any]) -> tuple[int, int, int]:
    from videogn.data.images.known_sets import class_sizes

    train, val = class_sizes(ImageSettings(**parameters))
    return len(train), sum(train), sum(val)


def _write_images(folder: Path, parameters: Mapping[str, Any], progress: Progress) -> Path:
    from videogn.data.images.writing import write_image_set

    return write_image_set(folder, ImageSettings(**parameters), progress=progress)


#: Key of a grid -> the data set that it makes. Whoever reads grids needs no writers, which are imported late.
OWN_DATA = {
    "motion": _Kind(MotionSettings, "videos_per_class", _count_motion, _write_motion),
    "images": _Kind(ImageSettings, "name", _count_images, _write_images),
}
