"""Small data sets of images as files, each against its source."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from videogn.choices import ImageSettings
from videogn.data.images import write_image_set
from videogn.data.images.known_sets import class_sizes, read_image_set
from videogn.data.images.textures import SIZE, TEXTURES, draw_texture
from videogn.data.sources import read_index
from videogn.data.splits import read_splits


def _splits(folder):
    return read_splits(str(folder), {}, val_fraction=0.2, class_names=None, seed=0)


def test_digits_are_scikit_learns(tmp_path):
    sklearn = pytest.importorskip("sklearn.datasets")
    digits = sklearn.load_digits()
    settings = ImageSettings(name="digits", seed=3)
    found = read_image_set(settings)
    pixels = np.concatenate([found.train.pixels, found.val.pixels])
    labels = np.concatenate([found.train.labels, found.val.labels])
    assert sorted(zip(labels, map(bytes, pixels), strict=True)) == sorted(
        zip(digits.target, (bytes(np.uint8(np.round(image * 255 / 16))) for image in digits.images), strict=True)
    )
    sizes = [np.bincount(each.labels).tolist() for each in (found.train, found.val)]
    assert tuple(sizes) == class_sizes(settings)
    other = read_image_set(ImageSettings(name="digits", seed=4))
    assert not np.array_equal(other.val.pixels, found.val.pixels)
    assert tuple(sizes) == class_sizes(ImageSettings(name="digits", seed=4))


def test_files_are_the_images(tmp_path):
    settings = ImageSettings(name="textures", images_per_class=4)
    told = []
    out = write_image_set(tmp_path / "set", settings, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (40, 40)
    found = read_image_set(settings)
    splits = _splits(out)
    assert list(splits["train"].classes) == sorted(TEXTURES)
    assert (len(splits["train"]), len(splits["val"])) == (32, 8)
    assert class_sizes(settings) == ([4] * 8, [1] * 8)
    for label, name in enumerate(TEXTURES):
        files = sorted((out / "train" / name).iterdir())
        images = found.train.pixels[found.train.labels == label]
        assert all(np.array_equal(Image.open(file), image) for file, image in zip(files, images, strict=True))


def test_a_set_is_made_once(tmp_path):
    settings = ImageSettings(name="textures", images_per_class=1)
    out = write_image_set(tmp_path / "set", settings)
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert write_image_set(out, settings) == out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == written
    with pytest.raises(ValueError, match=r"holds a data set of images made with .*name another folder"):
        write_image_set(out, ImageSettings(name="textures", images_per_class=2))
    manifest = json.loads((out / "images.json").read_text())
    (out / "images.json").write_text(json.dumps({**manifest, "complete": False}))  # killed in the middle
    next(out.rglob("*.png")).unlink()
    write_image_set(out, settings)
    assert set(out.rglob("*.png")) == set(written)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(ValueError, match="holds something else than a data set of images"):
        write_image_set(tmp_path / "other", settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("[]", "damaged, or was not"),
        ("nonsense", "not JSON"),
        ('{"version": 1, "complete":', "not JSON"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path, content, words):
    (tmp_path / "images.json").write_text(content)
    with pytest.raises(ValueError, match=f"images.json is {words}"):
        write_image_set(tmp_path, ImageSettings(name="textures", images_per_class=1))


def test_a_manifest_that_does_not_say_complete_is_not(tmp_path):
    settings = ImageSettings(name="textures", images_per_class=1)
    out = write_image_set(tmp_path / "set", settings)
    manifest = json.loads((out / "images.json").read_text())
    del manifest["complete"]
    (out / "images.json").write_text(json.dumps(manifest))
    next(out.rglob("*.png")).unlink()
    write_image_set(out, settings)
    assert len(list(out.rglob("*.png"))) == 16


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file must be a folder, and it is a file"):
        write_image_set(tmp_path / "file", ImageSettings(name="textures", images_per_class=1))


@pytest.mark.parametrize("name", TEXTURES)
def test_stripes_have_their_direction_and_width(name):
    """By the structure tensor of the mean spectrum: gradients are at right angles to the stripes."""
    angle, (shortest, longest) = TEXTURES[name]
    power = np.zeros((SIZE, SIZE))
    for number in range(40):
        image = draw_texture(name, np.random.default_rng((5, number))).astype(float)
        power += np.abs(np.fft.fft2(image - image.mean())) ** 2
    power = np.clip(power - 3 * np.median(power), 0, None)  # the noise is white
    down, across = np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE), indexing="ij")
    tensor = [[(power * a * b).sum() for a in (across, down)] for b in (across, down)]
    waves = np.linalg.eigh(np.array(tensor))[1][:, -1]
    stripes = np.degrees(np.arctan2(-waves[0], -waves[1])) % 180  # rows count downwards
    assert abs((stripes - angle + 90) % 180 - 90) < 5
    wavelength = power.sum() / (power * np.hypot(down, across)).sum()
    assert shortest < wavelength < longest


def test_textures_are_new_and_the_same_again():
    name = next(iter(TEXTURES))
    one, again, other = (draw_texture(name, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def _md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def _cifar10(folder, monkeypatch):
    """The files of CIFAR-10 in their own format, small, with their checksums in torchvision's tables."""
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)
    pixels, labels = [], []
    for table, names in (("train_list", CIFAR10.train_list), ("test_list", CIFAR10.test_list)):
        for name, _ in names:
            pixels.append(rng.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8))
            labels.append(rng.permutation(np.repeat(np.arange(10), 2)))
            content = {"data": pixels[-1].reshape(20, -1), "labels": labels[-1].tolist()}
            (place / name).write_bytes(pickle.dumps(content))
        monkeypatch.setattr(CIFAR10, table, [[name, _md5(place / name)] for name, _ in names])
    classes = [f"class {number}" for number in range(10)]
    (place / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}))
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": _md5(place / "batches.meta")})
    train = np.concatenate(pixels[:5]), np.concatenate(labels[:5])
    return train, (pixels[5], labels[5])


def test_cifar10_from_files_of_its_format(tmp_path, monkeypatch):
    (train, train_labels), (test, test_labels) = _cifar10(tmp_path / "files", monkeypatch)
    out = write_image_set(tmp_path / "set", ImageSettings(name="cifar10"), source=str(tmp_path / "files"))
    splits = _splits(out)
    assert (len(splits["train"]), len(splits["val"])) == (100, 20)
    for split, pixels, labels in (("train", train, train_labels), ("val", test, test_labels)):
        for record in splits[split].records:
            number = int(record.path[-10:-4])
            assert np.array_equal(Image.open(record.path), pixels[number].transpose(1, 2, 0))
            assert record.label == labels[number]


def test_some_images_of_each_class(tmp_path, monkeypatch):
    (train, labels), _ = _cifar10(tmp_path, monkeypatch)
    found = read_image_set(ImageSettings(name="cifar10", images_per_class=3), str(tmp_path))
    assert np.bincount(found.train.labels).tolist() == [3] * 10
    assert len(found.val.labels) == 20
    first = [np.flatnonzero(labels == label)[:3] for label in range(10)]
    assert np.array_equal(found.train.pixels, train.transpose(0, 2, 3, 1)[np.sort(np.concatenate(first))])
    assert class_sizes(ImageSettings(name="cifar10", images_per_class=3)) == ([3] * 10, [1000] * 10)


def test_fashion_mnist_from_files_of_its_format(tmp_path):
    from torchvision.datasets import FashionMNIST

    rng = np.random.default_rng(0)
    place = tmp_path / "files" / "FashionMNIST" / "raw"
    place.mkdir(parents=True)
    pixels = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 3)
    for part, rows in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        count = len(labels[rows])
        images = struct.pack(">iiii", 2051, count, 28, 28) + pixels[rows].tobytes()
        for name, data in (
            (f"{part}-images-idx3-ubyte", images),
            (f"{part}-labels-idx1-ubyte", struct.pack(">ii", 2049, count) + labels[rows].tobytes()),
        ):
            (place / name).write_bytes(data)
            (place / f"{name}.gz").write_bytes(gzip.compress(data))
    out = write_image_set(tmp_path / "set", ImageSettings(name="fashion_mnist"), source=str(tmp_path / "files"))
    index = read_index(out / "train")
    assert set(index.classes) == {name.replace("/", " or ") for name in FashionMNIST.classes}
    record = next(record for record in index.records if record.path.endswith("000010.png"))
    assert index.classes[record.label] == "T-shirt or top"
    assert np.array_equal(Image.open(record.path), pixels[10])


def test_files_that_are_nowhere(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    def fail(self):
        raise OSError("no network")

    monkeypatch.setattr(CIFAR10, "download", fail)
    with pytest.raises(ValueError, match=r"cifar10 is not in .* and could not be fetched \(no network\); put"):
        write_image_set(tmp_path / "set", ImageSettings(name="cifar10"), source=str(tmp_path / "files"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "mnist"}, "name must be one of .*, got 'mnist'"),
        ({"name": "digits", "images_per_class": 0}, "images_per_class must be >= 1, got 0"),
        ({"name": "digits", "seed": -1}, "seed must be >= 0, got -1"),
    ],
)
def test_wrong_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        ImageSettings(**settings)
