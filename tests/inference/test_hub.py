"""The Hugging Face Hub, played by stand-ins: what is asked of it, with which files. There is no network."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from video_networks import sane

from videogn.inference import Predictor, load_network
from videogn.inference.pretrained import save_pretrained
from videogn.models import load_weights, make_model
from videogn.models.network_sources import published_network

hub = pytest.importorskip("huggingface_hub")
errors = pytest.importorskip("huggingface_hub.errors")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ABOUT = {
    "arch": "i3d_tiny",
    "norm": "gn",
    "arch_options": {"width": 8},
    "class_names": ["jump", "run"],
    "clip_length": 4,
    "crop_size": 32,
    "short_side": 32,
    "mean": (0.45, 0.45, 0.45),
    "std": (0.225, 0.225, 0.225),
    "clips_per_forward": 10,
}


@pytest.fixture
def folder(tmp_path):
    net = sane(make_model("i3d_tiny", 2, "gn", None, {"width": 8}))
    return save_pretrained(net, ABOUT, tmp_path / "network", source="last.ckpt")


class StandIn:
    """Notes calls; keeps what is uploaded."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.files: dict[str, bytes] = {}
        self.there: tuple[str, ...] = ()
        self.error: Exception | None = None

    def create_repo(self, *args: Any, **kwargs: Any) -> str:
        self.calls.append(("create_repo", args, kwargs))
        if self.error is not None:
            raise self.error
        return f"https://huggingface.co/{args[0]}"

    def file_exists(self, repo_id: str, filename: str) -> bool:
        return filename in self.there

    def upload_folder(self, **kwargs: Any) -> None:
        self.calls.append(("upload_folder", (), kwargs))
        paths = [path for path in Path(kwargs["folder_path"]).iterdir() if path.name in kwargs["allow_patterns"]]
        self.files = {path.name: path.read_bytes() for path in paths}


@pytest.fixture
def api(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(hub, "HfApi", lambda: stand_in)
    return stand_in


def test_push(folder, api):
    url = Predictor(folder, device="cpu", time_limit=0).push_to_hub("someone/tiny")
    assert url == "https://huggingface.co/someone/tiny"
    assert [call[0] for call in api.calls] == ["create_repo", "upload_folder"]
    assert api.calls[0][1:] == (("someone/tiny",), {"private": True, "exist_ok": True})
    assert api.calls[1][2]["repo_id"] == "someone/tiny"
    assert sorted(api.files) == ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"]
    assert api.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert "# tiny\n" in api.files["README.md"].decode()
    assert not Path(api.calls[1][2]["folder_path"]).exists()  # a temporary one


def test_a_readme_on_the_hub_is_kept(folder, api):
    api.there = ("README.md",)
    Predictor(folder, device="cpu", time_limit=0).push_to_hub("someone/tiny", private=False)
    assert api.calls[0][2]["private"] is False
    assert sorted(api.files) == ["config.json", "model.safetensors", "preprocessor_config.json"]


def test_export_and_push(videogn, folder, api, tmp_path, capsys):
    """Nothing else in the folder is pushed."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "secret.txt").touch()
    arguments = ("export", str(folder), "--format=hf", f"--out={out}", "--push=someone/tiny", "--public")
    assert videogn(*arguments) == 0
    assert "pushed to https://huggingface.co/someone/tiny" in capsys.readouterr().out
    assert api.calls[0][2]["private"] is False
    assert "secret.txt" not in api.files
    assert api.calls[1][2]["folder_path"] == out


def test_wrong_ids_and_refusals(videogn, folder, api, tmp_path, capsys):
    arguments = ("export", str(folder), "--format=hf", f"--out={tmp_path / 'out'}")
    assert videogn(*arguments, "--push=tiny") == 2
    assert "tiny is no id on the Hugging Face Hub" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    api.error = OSError("401 Client Error\n\nInvalid username or password.")
    assert videogn(*arguments, "--push=someone/tiny") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "someone/tiny could not be pushed to the Hugging Face Hub: 401 Client Error; has `hf auth login`" in line
    assert videogn("export", str(folder), "--format=onnx", f"--out={tmp_path / 'a'}", "--push=a/b") == 2
    assert "--push and --results go with --format hf" in capsys.readouterr().err


@pytest.fixture
def snapshots(monkeypatch, folder, tmp_path):
    """The Hub's cache: whatever is asked for is this network, at one commit."""
    snapshot = tmp_path / "snapshots" / COMMIT
    shutil.copytree(folder, snapshot)
    calls = []

    def snapshot_download(repo_id: str, **kwargs: Any) -> str:
        calls.append((repo_id, kwargs))
        return str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    return calls


@pytest.mark.parametrize(
    ("source", "revision"), [("hf:someone/tiny", None), ("someone/tiny", None), ("someone/tiny@v1.0", "v1.0")]
)
def test_pull(snapshots, folder, source, revision):
    """Only the two files that are read are fetched, the weights at the commit that the configuration had."""
    net, about = load_network(source)
    patterns = {"allow_patterns": ["config.json", "model.safetensors"]}
    assert snapshots[0] == ("someone/tiny", {"revision": revision, **patterns})
    assert snapshots[1:] == [("someone/tiny", {"revision": COMMIT, **patterns})]
    wanted = load_network(folder)[0].state_dict()
    assert all((tensor == wanted[name]).all() for name, tensor in net.state_dict().items())
    assert about["class_names"] == ["jump", "run"]


def test_results_name_the_commit(snapshots):
    assert published_network("someone/tiny").weights == f"hf:someone/tiny@{COMMIT}"


def test_from_pretrained_and_predict(snapshots, videogn, motion, tmp_path):
    video = str(next(motion.glob("val/contract/*.mp4")))
    predictor = Predictor.from_pretrained("someone/tiny", num_clips=2, device="cpu", time_limit=0)
    found = next(predictor.predict(video))
    options = ("--checkpoint=hf:someone/tiny", "--clips=2", "--device=cpu", "--format=json", "--time-limit=0")
    assert videogn("predict", video, *options, f"--output={tmp_path / 'a.json'}") == 0
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert [(one["label"], one["score"]) for one in row["predictions"]] == list(found.scores)


def test_start_from_the_hub(snapshots):
    report = load_weights(make_model("i3d_tiny", 2, "gn", None, {"width": 8}), "hf:someone/tiny")
    assert not report.missing


def test_what_is_here_comes_first(snapshots, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "someone" / "tiny")
    load_network("someone/tiny")
    assert not snapshots


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            errors.LocalEntryNotFoundError("Got: ConnectError: no route\nmore"),
            "ConnectError: no route; where there",
        ),
        (OSError("disk full"), "hf:someone/tiny could not be fetched and is not in the cache: disk full; where there"),
    ],
)
def test_offline(monkeypatch, tmp_path, error, message):
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", fails)
    with pytest.raises(ValueError, match=message) as caught:
        Predictor("hf:someone/tiny")
    assert "`hf download someone/tiny --local-dir FOLDER`, and give FOLDER in its place" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^no such file or folder: someone/tiny; hf:someone/tiny could not"):
        Predictor("someone/tiny")


def test_no_such_repository(monkeypatch):
    httpx = pytest.importorskip("httpx")
    answer = httpx.Response(404, request=httpx.Request("GET", "https://huggingface.co"))

    def fails(*_: Any, **__: Any) -> None:
        raise errors.RepositoryNotFoundError("404 Client Error", response=answer)

    monkeypatch.setattr(hub, "snapshot_download", fails)
    with pytest.raises(
        ValueError, match=r"^the Hugging Face Hub shows no repository someone/tiny with the revision v2:"
    ):
        Predictor("hf:someone/tiny@v2")


def test_the_cache_answers_offline(monkeypatch, folder, tmp_path):
    """The real client, with its cache filled and no network."""
    cache = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(folder, cache / "snapshots" / COMMIT)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    _, about = load_network("hf:someone/tiny")
    assert about["class_names"] == ["jump", "run"]


def test_without_the_package(monkeypatch, folder, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    predictor = Predictor(folder, device="cpu", time_limit=0)  # a folder needs nothing
    for act in (lambda: Predictor("hf:someone/tiny"), lambda: predictor.push_to_hub("someone/tiny")):
        with pytest.raises(ModuleNotFoundError, match=r"someone/tiny .*pip install 'videogn\[hub\]'"):
            act()
