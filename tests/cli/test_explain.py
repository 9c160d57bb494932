"""videogn data explain: table, JSON, contact sheet, exit status."""

from __future__ import annotations

import json

import pytest
from matplotlib.image import imread
from PIL import Image

from videogn.video.clips import clip_indices


@pytest.fixture(scope="module")
def clip(motion):
    """A video of 32 frames of 32 x 32."""
    return sorted(motion.rglob("*.mp4"))[0]


def _explain(videogn, clip, *options):
    return videogn("data", "explain", clip, "--clip-length", 8, "--interval", 2, "--short-side", 32, *options)


def test_table_and_sheet(videogn, capsys, clip, tmp_path):
    sheet = tmp_path / "sheet.png"
    assert _explain(videogn, clip, "--clips", 4, "--crop-size", 28, "--crops", "center", "--out", sheet) == 0
    printed = capsys.readouterr().out
    assert "32 frames" in printed
    assert "32x32" in printed
    assert "decoded by" in printed
    assert "0, 2 ... 14" in printed
    assert "24, 26 ... 30 | wrapped 0, 2 ... 6" in printed
    picture = imread(sheet)
    assert picture.shape[0] > 4 * 168
    assert picture.shape[1] > 8 * 168


@pytest.mark.parametrize("part", ["t=0.32,0.98", "frames=10,30"])
def test_a_part_of_a_video(videogn, capsys, clip, tmp_path, part):
    """Frames 10 to 29 of 30 a second; the last clip ends one before, at interval 2."""
    out = tmp_path / "sheet.png"
    assert _explain(videogn, f"{clip}#{part}", "--clips", 3, "--protocol", "endpoint", "--json", "--out", out) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["video"]["path"] == f"{clip}#{part}"
    indices = [index for each in found["clips"] for index in each["indices"]]
    assert (min(indices), max(indices)) == (10, 28)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("t=9,10", "holds no frame"),
        ("t=2,1", "its end must come after its start"),
        ("frames=a,b", "frame indices"),
        ("frames=-1,5", "its start must be 0 or later"),
    ],
)
def test_a_part_that_is_none(videogn, capsys, clip, tmp_path, part, message):
    assert _explain(videogn, f"{clip}#{part}", "--out", tmp_path / "sheet.png") == 2
    assert message in capsys.readouterr().err


def test_the_sheet_lies_here_by_default(videogn, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _explain(videogn, clip, "--clips", 1) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{clip.stem}_clips.png"]


def test_folders_with_dots_in_their_names_have_sheets_of_their_own(videogn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("v1.5", "v1.6"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            Image.new("RGB", (40, 32)).save(tmp_path / folder / f"img_{number:05}.jpg")
        assert _explain(videogn, f"{folder}/", "--clips", 1) == 0
    monkeypatch.chdir(tmp_path / "v1.5")
    assert _explain(videogn, ".", "--clips", 1) == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["v1.5_clips.png", "v1.6_clips.png"]
    assert [path.name for path in (tmp_path / "v1.5").glob("*.png")] == ["v1.5_clips.png"]


@pytest.mark.parametrize("protocol", ["nonlocal", "slowfast", "mmaction2", "endpoint"])
def test_json(videogn, capsys, clip, tmp_path, protocol):
    assert _explain(videogn, clip, "--protocol", protocol, "--json", "--out", tmp_path / "a.png") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["video"]["frames"] == 32
    assert found["video"]["decoder"] in ("decord", "pyav")
    indices = [each["indices"] for each in found["clips"]]
    assert indices == clip_indices(32, clip_length=8, interval=2, num_clips=10, protocol=protocol).tolist()
    assert all(each["start"] == each["indices"][0] and each["end"] == each["indices"][-1] for each in found["clips"])
    assert (tmp_path / "a.png").is_file()


def test_training_clips_follow_the_seed(videogn, capsys, clip, tmp_path):
    def explain(seed):
        options = ("--train", "--crop-size", 24, "--seed", seed, "--clips", 3, "--json", "--out", tmp_path / "a.png")
        assert _explain(videogn, clip, *options) == 0
        return json.loads(capsys.readouterr().out)["clips"]

    assert explain(1) == explain(1) != explain(2)
    assert all(crop["height"] == 24 for each in explain(3) for crop in each["crops"])


def test_random_resized_crops_are_parts_of_the_frame(videogn, capsys, clip, tmp_path):
    """A fifth to half of 32 x 32, ratios 3/4 to 4/3, before they are resized."""
    options = ("--train", "--random-resized-crop", 0.2, 0.5, "--crop-size", 24, "--clips", 9, "--json")
    assert _explain(videogn, clip, *options, "--out", tmp_path / "a.png") == 0
    clips = json.loads(capsys.readouterr().out)["clips"]
    sizes = {(crop["height"], crop["width"]) for each in clips for crop in each["crops"]}
    assert all(each["frame_size"] == [32, 32] for each in clips)
    assert len(sizes) > 4
    assert all(0.17 < height * width / 1024 < 0.53 and 0.7 < width / height < 1.4 for height, width in sizes)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--random-resized-crop", 0.2, 0.5], "--random-resized-crop needs --train and two numbers"),
        (["--train", "--random-resized-crop", 0.5], "--random-resized-crop needs --train and two numbers"),
        (["--train", "--random-resized-crop", 0, 1], "0 < smallest <= largest <= 1, got (0.0, 1.0)"),
        (["--clips", 0], "--clips must be > 0, got 0"),
        (["--clip-length", 0], "clip_length must be > 0, got 0"),
        (["--short-side", 0], "short_side must be > 0, got 0"),
        (["--short-side", 0, "--train"], "short_side must be > 0, got 0"),
        (["--out", "."], "--out must be the file to write, . is a folder"),
        (["--decoder", "decrod"], "did you mean 'decord'?"),
        (["--crops", "center", "--crop-size", 99], "crop size must be <="),
    ],
)
def test_wrong_options(videogn, capsys, clip, tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    assert _explain(videogn, clip, *options) == 2
    assert expected in _one_line(capsys)
    assert not list(tmp_path.iterdir())


def test_wrong_files(videogn, capsys, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert _explain(videogn, "a.mp4") == 2
    assert "not a readable video" in _one_line(capsys)
    assert _explain(videogn, "b.mp4") == 2
    assert "did you mean a.mp4?" in _one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def _one_line(capsys) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("videogn: error: ")
    return line
