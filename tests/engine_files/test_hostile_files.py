"""Exported files of strangers: numbers that are too large, pipes, archives that unpack to more, wrong scores."""

from __future__ import annotations

import json
import os
import shutil
import zipfile

import pytest
import torch
from written import ABOUT, Logits, metadata, write

from videogn.engine_files import describe_engine, open_engine
from videogn.engine_files.description import read_description


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write(tmp_path_factory.mktemp("whole") / "net.pt2", Logits(), metadata())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found["about"].update(clip_length=10**9), "clip_length must be a whole number from 1 to 10000"),
        (lambda found: found["about"].update(interval=True), "interval must be a whole number"),
        (lambda found: found["about"].update(crop_size=10**9), "crop_size must be a whole number from 1 to 10000"),
        (lambda found: found["about"].update(short_side=1e5), "short_side must be a whole number"),
        (lambda found: found["about"].update(num_clips=10**6), "num_clips must be a whole number from 1 to 10000"),
        (lambda found: found["about"].update(clips_per_forward=10**9), "clips_per_forward must be a whole number"),
        (lambda found: found["about"].update(class_names=["a"] * 100_001), "class_names must be a list of 1 to 100000"),
        (lambda found: found["about"].update(class_names=["a" * 1001]), r"class_names\[0\] must be a class name"),
        (lambda found: found["about"].update(fps=10**9), "fps must be"),
        (lambda found: found["about"].update(mean=[float("nan")] * 3), "mean must hold three numbers"),
        (lambda found: found["about"].update(std=[0.0] * 3), "std must hold three numbers"),
        (lambda found: found["about"].update(arch="/dev/zero"), "arch must be a name"),
        (lambda found: found["about"].update(norm_options={"x": [[[[[[1]]]]]]}), "norm_options.x must be a plain"),
        (lambda found: found["about"].update(antialias="no"), "antialias must be true or false"),
        (lambda found: found["about"].update(protocol="any"), "protocol must be one of"),
        (lambda found: found["input"]["size"].update(B=10**9), "size of B must be a whole number from 1 to 1000"),
        (lambda found: found["input"]["size"].update(T=-1), "size of T must be a whole number from 1 to 10000"),
        (lambda found: found["input"].update(layout=["B", "C", "T", "H", "W"]), "layout must name each of B, C, T"),
    ],
)
def test_numbers_and_names_have_bounds(change, reason):
    """Those of checkpoints."""
    found = json.loads(metadata())
    change(found)
    with pytest.raises(ValueError, match=rf"says about its network what .* cannot use \({reason}.*; export it again$"):
        read_description("net.onnx", json.dumps(found))


def test_what_is_not_known_is_not_taken():
    about = {**ABOUT, "init_from": "/dev/zero", "map_location": "meta"}
    assert not read_description("f", metadata(about=about)).about.keys() & {"init_from", "map_location"}


@pytest.mark.parametrize("classes", [["a"], list("abcdefgh")])
def test_scores_are_those_of_the_classes(tmp_path, classes):
    """Otherwise the name of another class would stand beside a score."""
    path = write(tmp_path / "net.pt2", Logits(), metadata(about={**ABOUT, "class_names": classes}))
    with pytest.raises(ValueError, match=f"net.pt2 gives 2 x 5 x .* scores for 2 clips, and it names {len(classes)}"):
        open_engine(path)(torch.zeros(2, 3, 4, 8, 8))


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "net.bin", "net.pt2"])
def test_pipes_are_not_waited_for(tmp_path, name):
    for package in ("onnxruntime", "openvino"):
        pytest.importorskip(package)
    (tmp_path / "net.xml").write_text("<net/>")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is a pipe, a device or a socket"):
        describe_engine(tmp_path / name.replace(".bin", ".xml"))


def _repacked(archive, out, own=None):
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            for end, other in (own or {}).items():
                content = other if name.endswith(end) else content
            target.writestr(name, content, None if own is None else zipfile.ZIP_STORED)
    return out


def test_archives_that_unpack_to_more(archive, tmp_path):
    """They are refused before a part of them is read."""
    bomb = _repacked(archive, tmp_path / "bomb.pt2")
    with pytest.raises(ValueError, match=r"bomb\.pt2 is no file of torch\.export .*: its \d+ bytes unpack to \d+"):
        describe_engine(bomb)


def test_archives_in_archives(archive, tmp_path):
    torch.save(torch.zeros(1 << 20), tmp_path / "inputs.pt")
    small = _repacked(tmp_path / "inputs.pt", tmp_path / "small.pt").read_bytes()
    bomb = _repacked(archive, tmp_path / "bomb.pt2", {"sample_inputs/model.pt": small})
    describe_engine(bomb)
    with pytest.raises(ValueError, match=r"bomb\.pt2 is no file of torch\.export .*: its \d+ bytes unpack to 4\d+"):
        open_engine(bomb)


def test_flipped_bits_of_weights(archive, tmp_path):
    """Would be other scores, in silence."""
    damaged = shutil.copy(archive, tmp_path / "damaged.pt2")
    with zipfile.ZipFile(archive) as parts:
        weight = max(
            (each for each in parts.infolist() if "/weights/weight" in each.filename), key=lambda e: e.file_size
        )
    content = bytearray(damaged.read_bytes())
    content[weight.header_offset + 30 + len(weight.filename) + weight.file_size // 2] ^= 64
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.pt2 is no file of torch\.export .*: it is damaged: the check sum"):
        open_engine(damaged)
