"""The scripts of the ablations, as one calls them."""

from __future__ import annotations

import runpy

import pytest

from videogn.cli.ablation import IMAGES, VIDEOS
from videogn.study import read_grid

OF_VIDEOS = [(name, data) for name in ("clip_length", "batch_size", "norm", "groups") for data in VIDEOS]
OF_IMAGES = [(name, data) for name in ("image_batch", "image_norm", "image_groups") for data in IMAGES]


def _call(request, monkeypatch, name, *arguments):
    monkeypatch.setattr("sys.argv", [f"ablate_{name}.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(request.config.rootpath / "scripts" / f"ablate_{name}.py"), run_name="__main__")
    return caught.value.code


@pytest.mark.parametrize(("name", "data"), [*OF_VIDEOS, *OF_IMAGES])
def test_the_grid_of_a_script_is_there(request, monkeypatch, capsys, name, data):
    """The command gets as far as the option that is missing."""
    assert _call(request, monkeypatch, name, data, "--jobs", "2") == 2
    assert "required: --out" in capsys.readouterr().err
    assert read_grid(f"{data}_{name}").cells


@pytest.mark.parametrize(
    ("name", "sets"), [("norm", "motion or kinetics400"), ("image_norm", "digits, cifar10 or imagenet")]
)
@pytest.mark.parametrize("arguments", [[], ["motoin"]])
def test_the_data_set_comes_first(request, monkeypatch, capsys, arguments, name, sets):
    assert _call(request, monkeypatch, name, *arguments) == 2
    assert f"the first argument must be {sets}, got" in capsys.readouterr().err


def test_help(request, monkeypatch, capsys):
    assert _call(request, monkeypatch, "norm", "--help") == 0
    assert "python scripts/ablate_norm.py motion --out" in capsys.readouterr().out
