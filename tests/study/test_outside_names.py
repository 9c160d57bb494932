"""A study of a norm, a network and an optimiser from outside videogn, named in the grid by their dotted paths."""

from __future__ import annotations

import sys

import pytest
import yaml
from forked import run_command

from videogn.study import read_grid, read_study, running
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.planning import count_videos, plan_cells

OWN = ("own_nets", "own_norms")
CONTENT = {
    "configs": ["motion"],
    "motion": {"videos_per_class": 2, "val_videos_per_class": 1, "frames": 16, "size": 32},
    "fit": {
        "model": {
            "arch": "own_nets.small_net",
            "arch_options": {"width": 8},
            "short_side": 32,
            "optimizer": {"class_path": "AdamW", "init_args": {"weight_decay": 0.05}},
        },
        "data": {"num_clips": 2, "train_short_sides": [32, 36]},
        "trainer": {"check_val_every_n_epoch": 1},
    },
    "axes": {
        "norm": [{"name": "gn", "groups": 4}, {"name": "own_norms.rms_group_norm", "groups": 2}],
        "clip": "4x2",
        "batch_size": 4,
    },
    "budget": {"epochs": 1},
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(CONTENT))
    return path


@pytest.mark.parametrize(
    ("trust", "needed"), [([], "own_nets own_norms"), (["own_nets"], "own_norms"), (["own_norms"], "own_nets")]
)
def test_a_grid_imports_nothing_that_is_not_trusted(path, outside, trust, needed):
    for name in OWN:
        sys.modules.pop(name, None)
    with pytest.raises(ValueError, match=rf"grid.yaml names own_\w+\.\w+, .*: add --trust {needed}$"):
        read_grid(path, trust=trust)
    assert not set(OWN) & sys.modules.keys()


@pytest.mark.parametrize("option", [{"arch": "own_nets.small_net"}, {"optimizer": {"class_path": "own_nets.Adam"}}])
def test_what_a_norms_own_cells_name_needs_trust_too(tmp_path, option):
    norm = {"name": "gn", "variant": "own", "fit": {"model": option}}
    content = {**CONTENT, "fit": {}, "axes": {**CONTENT["axes"], "norm": [norm]}}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"grid.yaml names own_nets\.\w+, .*: add --trust own_nets$"):
        read_grid(tmp_path / "grid.yaml")
    assert read_grid(tmp_path / "grid.yaml", trust=["own_nets"]).cells


def test_what_is_typed_needs_no_trust(path, outside):
    grid = read_grid(path, axes={"norm": ["own_norms.rms_group_norm"]}, fit={"model": {"arch": "own_nets.small_net"}})
    assert set(grid.trust) == set(OWN)


def test_a_study_from_elsewhere_adds_no_norms(path, outside, tmp_path):
    """Cells that lie in the folder of a study join those of the grid."""
    make_study(read_grid(path, trust=OWN), tmp_path / "theirs", command="test")
    ours = make_grid({**CONTENT, "fit": {}, "axes": {**CONTENT["axes"], "norm": "gn"}})
    with pytest.raises(ValueError, match=r"study.json names own_norms.rms_group_norm, .*: add --trust own_norms$"):
        make_study(ours, tmp_path / "theirs", command="test")


def test_a_plan(path, outside):
    grid = read_grid(path, trust=OWN)
    plans = plan_cells(grid, count_videos(grid), measure=False)
    assert [plan.steps for plan in plans.values()] == [4, 4]
    assert all(plan.row["peak_bytes"] > 0 for plan in plans.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"norm": "own_norms.rms_group_nrm"}, "rms_group_nrm"),
        ({"norm": {"name": "own_norms.rms_group_norm", "grops": 2}}, "grops"),
    ],
)
def test_mistakes_are_found_by_the_plan(videogn, capsys, path, outside, changes, words):
    path.write_text(yaml.safe_dump({**CONTENT, "axes": {**CONTENT["axes"], **changes}}))
    assert videogn("study", "plan", path, "--no-time", "--trust", *OWN) == 2
    assert words in capsys.readouterr().err


def test_a_run(videogn, path, outside, tmp_path, monkeypatch):
    """Also the test of the cell's own checkpoint, which imports only what its configuration names."""
    monkeypatch.setattr(running, "run_command", run_command)
    assert (
        videogn("study", "run", path, "--out", tmp_path / "out", "--jobs", "2", "--threads", "1", "--trust", *OWN) == 0
    )
    study = read_study(tmp_path / "out")
    assert len(study.results) == 2
    assert "| GN, groups 4 | rms_group_norm, groups 2 |" in (tmp_path / "out" / "report.md").read_text().replace(
        "\\", ""
    )
