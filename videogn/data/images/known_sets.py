"""The images of small data sets, by name: drawn, scikit-learn's, or torchvision's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.choices import VAL_FRACTION, ImageSetName, ImageSettings
from videogn.data.images.textures import TEXTURES, draw_texture

#: Images of a class of a drawn set that are for training, unless told otherwise.
_DRAWN = 200
#: Images of each class for training and for validation in the sets that are not drawn.
_SIZES: dict[ImageSetName, tuple[list[int], list[int]]] = {
    "digits": ([142, 146, 142, 146, 145, 146, 145, 143, 139, 144], [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]),
    "fashion_mnist": ([6000] * 10, [1000] * 10),
    "cifar10": ([5000] * 10, [1000] * 10),
}


class Images(NamedTuple):
    """The images of one split.

    Attributes:
        pixels: Grey or RGB pictures, uint8 (N, H, W) or (N, H, W, 3).
        labels: Class numbers (N,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


class ImageSet(NamedTuple):
    """A data set of images.

    Attributes:
        classes: Class names in the order of the numbers.
        train: Training images.
        val: The other ones. Of published sets, their official test images.
    """

    classes: tuple[str, ...]
    train: Images
    val: Images


def read_image_set(settings: ImageSettings, source: str | None = None) -> ImageSet:
    """Draw or read a data set of images.

    Args:
        settings: Its name, number of images and seed.
        source: Folder with the files of a published set; torchvision fetches what it lacks. Default: the folder
            `image-sets` here.

    Raises:
        ValueError: The files are neither there nor can they be fetched.
        ModuleNotFoundError: A package is not installed.
    """
    found = SETS[settings.name](settings, source or "image-sets")
    return found._replace(train=_first(found.train, settings.images_per_class))


def class_sizes(settings: ImageSettings) -> tuple[list[int], list[int]]:
    """Count the training and the validation images of each class, without reading or drawing any.

    Args:
        settings: Name, number of images and seed.
    """
    if settings.name == "textures":
        count = settings.images_per_class or _DRAWN
        return [count] * len(TEXTURES), [_held_out(count)] * len(TEXTURES)
    train, val = _SIZES[settings.name]
    return [min(size, settings.images_per_class or size) for size in train], val


def _held_out(drawn: int) -> int:
    return max(drawn // 4, 1)


def _textures(settings: ImageSettings, source: str) -> ImageSet:
    count = settings.images_per_class or _DRAWN
    parts = []
    for number, each in enumerate((count, _held_out(count))):
        drawn = [
            draw_texture(name, np.random.default_rng((settings.seed, number, label, index)))
            for label, name in enumerate(TEXTURES)
            for index in range(each)
        ]
        parts.append(Images(np.stack(drawn), np.repeat(np.arange(len(TEXTURES)), each)))
    return ImageSet(tuple(TEXTURES), *parts)


def _digits(settings: ImageSettings, source: str) -> ImageSet:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, of which a share of each class is held out at random."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the digits need scikit-learn: pip install 'videogn[images]'") from error
    digits: Any = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)  # 17 levels of grey
    rng = np.random.default_rng(settings.seed)
    held_out = np.zeros(len(pixels), bool)
    for label in range(10):
        members = rng.permutation(np.flatnonzero(digits.target == label))
        held_out[members[: round(VAL_FRACTION * len(members))]] = True
    parts = [Images(pixels[chosen], digits.target[chosen].astype(np.int64)) for chosen in (~held_out, held_out)]
    return ImageSet(tuple(map(str, range(10))), *parts)


def _published(name: str) -> Callable[[ImageSettings, str], ImageSet]:
    """A data set of `torchvision.datasets`."""

    def read(settings: ImageSettings, source: str) -> ImageSet:
        from torchvision import datasets

        parts = []
        for train in (True, False):
            try:
                found = getattr(datasets, name)(source, train=train, download=True)
            except (OSError, RuntimeError) as error:  # no network; a file that is not the published one
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise ValueError(
                    f"{settings.name} is not in {source} and could not be fetched ({reason}); put the files of "
                    f"torchvision.datasets.{name} there, or name their folder with --source"
                ) from error
            parts.append(Images(np.asarray(found.data), np.asarray(found.targets, np.int64)))
        return ImageSet(tuple(found.classes), *parts)

    return read


#: Name -> reader `(settings, source) -> ImageSet`.
SETS: dict[ImageSetName, Callable[[ImageSettings, str], ImageSet]] = {
    "digits": _digits,
    "textures": _textures,
    "fashion_mnist": _published("FashionMNIST"),
    "cifar10": _published("CIFAR10"),
}


def _first(images: Images, per_class: int | None) -> Images:
    """The first images of each class, or all."""
    if per_class is None:
        return images
    chosen = [np.flatnonzero(images.labels == label)[:per_class] for label in np.unique(images.labels)]
    rows = np.sort(np.concatenate(chosen))
    return Images(images.pixels[rows], images.labels[rows])
