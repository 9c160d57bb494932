"""Configurations are found by path and by name, from any folder, and ship in the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

from videogn.system.configurations import configuration_folder, find_config, shipped


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("my_videos", "", "my_videos.yaml"),
        ("my_videos.yaml", "", "my_videos.yaml"),
        ("configs/my_videos.yaml", "", "my_videos.yaml"),  # as the path is in a checkout
        ("kinetics400/base", "", "kinetics400/base.yaml"),
        ("motion", "", "motion.yaml"),
        ("motion", "study", "study/motion.yaml"),
        ("motion_smoke", "study", "study/motion_smoke.yaml"),
        ("configs/study/motion_smoke.yaml", "study", "study/motion_smoke.yaml"),
    ],
)
def test_by_name(name, kind, found):
    assert find_config(name, kind) == configuration_folder() / found


def test_a_file_comes_before_a_name(tmp_path):
    (tmp_path / "own.yaml").touch()
    (tmp_path / "motion").touch()
    assert find_config("own.yaml").resolve() == tmp_path / "own.yaml"
    assert find_config("motion").resolve() == tmp_path / "motion"


def test_a_folder_does_not_hide_a_name(tmp_path):
    """`videogn data synth motion` makes one."""
    (tmp_path / "motion").mkdir()
    assert find_config("motion") == configuration_folder() / "motion.yaml"
    with pytest.raises(FileNotFoundError, match=r"no configuration '\.'; name a YAML file"):
        find_config(".")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("my_vidoes", "", "no configuration 'my_vidoes'; did you mean 'my_videos'?"),
        ("kinetics400/bse", "", "no configuration 'kinetics400/bse'; did you mean 'kinetics400/base'?"),
        ("motion_smok", "study", "no configuration 'motion_smok'; did you mean 'motion_smoke'?"),
        ("here.yml", "", "no such file or folder: here.yml; did you mean hers.yml?"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(tmp_path, name, kind, message):
    (tmp_path / "hers.yml").touch()
    with pytest.raises(FileNotFoundError) as caught:
        find_config(name, kind)
    assert str(caught.value) == message


def test_all_names_are_listed_where_none_is_near():
    with pytest.raises(FileNotFoundError, match=r"name a YAML file, or one of .*kinetics400/base, .*my_videos"):
        find_config("qqq")


def test_kinds_are_kept_apart():
    assert {"motion", "my_videos", "kinetics400/base"} <= shipped().keys()
    assert not any(name.startswith("study") for name in shipped())
    assert "motion_smoke" in shipped("study")
    assert all("axes" in yaml.safe_load(path.read_text(encoding="utf-8")) for path in shipped("study").values())


def test_the_wheel_has_them(request, tmp_path):
    root = request.config.rootpath
    source = tmp_path / "source"
    source.mkdir()
    for name in ("videogn", "configs"):
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    installed = tmp_path / "installed" / "videogn" / "configs"
    ours = {path.relative_to(root / "configs") for path in (root / "configs").rglob("*.yaml")}
    assert {path.relative_to(installed) for path in installed.rglob("*.yaml")} == ours
    for name in ("py.typed", "models/kinetics400.txt"):
        assert (tmp_path / "installed" / "videogn" / name).exists()
    code = "from videogn.system.configurations import find_config; print(find_config('my_videos'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(installed / "my_videos.yaml")
