"""What a source says by itself: an id on the Hub, or not."""

from __future__ import annotations

import pytest

from videogn.source_names import HubId, check_source, hub_id, repository


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("hf:user/name", HubId("user/name")),
        ("hf:user/name@v1.0", HubId("user/name", "v1.0")),
        ("hf:user/name.ckpt", HubId("user/name.ckpt")),
        ("user/name", HubId("user/name")),
        ("A-b_c.1/x3d.v2", HubId("A-b_c.1/x3d.v2")),
        ("user/name@refs/pr/1", HubId("user/name", "refs/pr/1")),
        ("user/last.ckpt", None),
        ("user/X3D_S.PYTH", None),
        ("name", None),
        ("a/b/c", None),
        ("/user/name", None),
        ("./user/name", None),
        ("../name", None),
        ("~/name", None),
        ("zoo:x3d_s", None),
        ("nonlocal:folder/i3d_baseline", None),
        ("", None),
    ],
)
def test_ids(tmp_path, monkeypatch, source, found):
    monkeypatch.chdir(tmp_path)
    assert hub_id(source) == found
    assert found is None or hub_id(str(found)) == found


@pytest.mark.parametrize("existing", ["runs", "runs/x3d"])
def test_what_is_here_comes_first(tmp_path, monkeypatch, existing):
    """A path in a folder that exists is a path, there or mistyped; with `hf:` it never is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / existing).mkdir(parents=True)
    assert hub_id("runs/x3d") is None
    assert hub_id("hf:runs/x3d") == HubId("runs/x3d")


@pytest.mark.parametrize(
    "source", ["hf:", "hf:name", "hf:a/b/c", "hf:a/../b", "hf:a/b--c", "hf:a/b.git", "hf:/etc/passwd", "hf:a/b@x y"]
)
def test_what_is_no_id(source):
    with pytest.raises(ValueError, match=r"is no id on the Hugging Face Hub: one is user/name"):
        hub_id(source)


def test_an_id_to_push_to_may_be_bare():
    assert repository("user/name") == HubId("user/name")
    with pytest.raises(ValueError, match=r"^name is no id on the Hugging Face Hub"):
        repository("name")


def test_a_path_is_looked_for_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for source in ("zoo:x3d_s", "hf:user/name", "user/name", "runs"):
        check_source(source)
    with pytest.raises(FileNotFoundError, match="no such file or folder: runs/x3d"):
        check_source("runs/x3d")
    with pytest.raises(FileNotFoundError, match="no such file or folder: runss; did you mean runs"):
        check_source("runss")
