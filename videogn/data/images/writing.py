"""A data set of images as PNG files in class folders, the layout of ImageNet and of torchvision's ImageFolder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from videogn.checks import expanded
from videogn.choices import ImageSettings
from videogn.data.images.known_sets import Images, read_image_set
from videogn.data.manifest import is_complete, write_manifest
from videogn.system.files import replacing

_MANIFEST = "images.json"
#: Increased whenever the same settings no longer give the same files.
_VERSION = 1


def write_image_set(
    out: str | Path,
    settings: ImageSettings,
    *,
    source: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write a data set of images: `train/CLASS/*.png` and `val/CLASS/*.png`.

    A folder that already holds the same data set stays as it is; an interrupted one is written again.

    Args:
        out: Folder of the data set, made if it does not exist.
        settings: Name, number of images and seed.
        source: Folder with the files of a published set; see `read_image_set`.
        progress: Called with (images written, images in total).

    Returns:
        `out`.

    Raises:
        ValueError: If `out` holds something else, or the images are nowhere to be had.
        OSError: If a file cannot be written.
        ModuleNotFoundError: A package is not installed.
    """
    out = expanded(out)
    manifest = {"version": _VERSION, **asdict(settings)}
    if is_complete(out / _MANIFEST, manifest, "a data set of images"):
        return out
    found = read_image_set(settings, source)
    write_manifest(out / _MANIFEST, manifest, complete=False)
    total = len(found.train.labels) + len(found.val.labels)
    names = [name.replace("/", " or ") for name in found.classes]  # Fashion-MNIST's "T-shirt/top"
    before = len(found.train.labels)
    _write_split(out / "train", found.train, names, lambda done: progress(done, total))
    _write_split(out / "val", found.val, names, lambda done: progress(before + done, total))
    write_manifest(out / _MANIFEST, manifest, complete=True)
    return out


def _write_split(folder: Path, images: Images, classes: list[str], progress: Callable[[int], None]) -> None:
    """Write the images of a split, numbered in the order of the set."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        with replacing(folder / classes[label] / f"{number:06d}.png", sweep=False) as temporary:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)
        progress(number + 1)
