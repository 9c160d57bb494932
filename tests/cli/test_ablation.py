"""The scripts of the ablations, as one calls them."""

from __future__ import annotations

import runpy

import pytest

from videogn.study import read_grid

NAMES = ["clip_length", "batch_size", "norm", "groups"]


def _call(request, monkeypatch, name, *arguments):
    monkeypatch.setattr("sys.argv", [f"ablate_{name}.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(request.config.rootpath / "scripts" / f"ablate_{name}.py"), run_name="__main__")
    return caught.value.code


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", ["motion", "kinetics400"])
def test_the_grid_of_a_script_is_there(request, monkeypatch, capsys, name, data):
    """The command gets as far as the option that is missing."""
    assert _call(request, monkeypatch, name, data, "--jobs", "2") == 2
    assert "required: --out" in capsys.readouterr().err
    assert read_grid(f"{data}_{name}").cells


@pytest.mark.parametrize("arguments", [[], ["motoin"]])
def test_the_data_set_comes_first(request, monkeypatch, capsys, arguments):
    assert _call(request, monkeypatch, "norm", *arguments) == 2
    assert "the first argument must be motion or kinetics400, got" in capsys.readouterr().err


def test_help(request, monkeypatch, capsys):
    assert _call(request, monkeypatch, "norm", "--help") == 0
    assert "python scripts/ablate_norm.py motion --out" in capsys.readouterr().out
