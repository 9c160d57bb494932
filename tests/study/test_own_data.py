"""The data sets that studies make for themselves."""

from __future__ import annotations

import pytest

from videogn.study.cell import fingerprint
from videogn.study.cell_files import read_cell
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.own_data import OwnData, read_own_data
from videogn.study.planning import count_videos
from videogn.study.study_files import cell_folder

IMAGES = {
    "configs": ["images/textures"],
    "images": {"name": "textures", "images_per_class": 2},
    "axes": {"norm": ["gn"], "setting": "1x1@4"},
    "budget": {"epochs": 1},
}


@pytest.mark.parametrize(
    ("kind", "parameters", "counts"),
    [
        ("motion", {"videos_per_class": 12}, (8, 96, 24)),
        ("images", {"name": "textures"}, (8, 1600, 400)),
        ("images", {"name": "digits"}, (10, 1438, 359)),
        ("images", {"name": "digits", "images_per_class": 140}, (10, 1399, 359)),
        ("images", {"name": "fashion_mnist"}, (10, 60000, 10000)),
        ("images", {"name": "cifar10", "images_per_class": 100}, (10, 1000, 10000)),
    ],
)
def test_counts_before_anything_is_made(kind, parameters, counts):
    assert read_own_data({kind: parameters}) == OwnData(kind, parameters)
    assert OwnData(kind, parameters).count() == counts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": {"name": "digts"}}, "name must be one of .*did you mean 'digits'"),
        ({"images": {"seed": 1}}, "images must say name, got"),
        ({"images": {"name": "digits", "size": 8}}, "key of images must be one of .*got 'size'"),
        ({"images": {"name": "digits", "images_per_class": "all"}}, "images_per_class must be .*got 'all'"),
        ({"images": {"name": "digits"}, "motion": {"videos_per_class": 1}}, "one data set for itself, got motion and"),
    ],
)
def test_what_cannot_be_made(content, words):
    with pytest.raises(ValueError, match=words):
        read_own_data(content)


def test_older_studies_of_the_motion_set_keep_their_fingerprints():
    """The parameters alone were hashed."""
    parameters = {"videos_per_class": 2}
    assert OwnData("motion", parameters).identity == parameters
    prints = {fingerprint({}, OwnData(kind, parameters).identity) for kind in ("motion", "images")}
    assert len(prints) == 2


def test_a_study_makes_its_images(tmp_path):
    grid = make_grid(IMAGES)
    assert count_videos(grid).train == 16
    out = make_study(grid, tmp_path / "out", command="videogn study run x")
    assert len(list((out / "images" / "train").rglob("*.png"))) == 16
    (cell,) = grid.cells
    assert read_cell(cell_folder(out, cell))[1]["data_root"] == str(out / "images")
    with pytest.raises(ValueError, match=r"data.root cannot be set for all cells: it is decided by images, the data"):
        make_grid({**IMAGES, "fit": {"data": {"root": "x"}}})
