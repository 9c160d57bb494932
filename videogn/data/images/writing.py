"""A data set of images as PNG files in class folders, the layout of ImageNet and of torchvision's ImageFolder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from videogn.checks import expanded
from videogn.choices import ImageSettings
from videogn.data.images.known_sets import Images, read_image_set
from videogn.system.files import write_json

#: Written first and last: the settings of the data set, and whether it is complete.
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
        ModuleNotFoundError: A package is not installed.
    """
    out = expanded(out)
    manifest = {"version": _VERSION, **asdict(settings)}
    if _is_complete(out, manifest):
        return out
    found = read_image_set(settings, source)
    write_json(out / _MANIFEST, {**manifest, "complete": False})  # from now on the folder is known to be ours
    total = len(found.train.labels) + len(found.val.labels)
    folders = [name.replace("/", " or ") for name in found.classes]  # Fashion-MNIST's "T-shirt/top"
    before = len(found.train.labels)
    _write_split(out / "train", found.train, folders, lambda done: progress(done, total))
    _write_split(out / "val", found.val, folders, lambda done: progress(before + done, total))
    write_json(out / _MANIFEST, {**manifest, "complete": True})
    return out


def _write_split(folder: Path, images: Images, classes: list[str], progress: Callable[[int], None]) -> None:
    """Write the images of a split, numbered in the order of the set."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / classes[label] / f"{number:06d}.png")
        progress(number + 1)


def _is_complete(out: Path, manifest: dict[str, Any]) -> bool:
    if not out.exists() or not any(out.iterdir()):
        return False
    if not (out / _MANIFEST).is_file():
        raise ValueError(f"{out} holds something else than a data set of images: name a new or an empty folder")
    found = json.loads((out / _MANIFEST).read_text(encoding="utf-8"))
    complete: bool = found.pop("complete")
    if found != manifest:
        raise ValueError(f"{out} holds images made with {found}: name another folder, or remove that one")
    return complete
