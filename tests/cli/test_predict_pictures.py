"""videogn predict --plot, --overlay, --explain: which files there are, and what is refused."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from videogn.video.decoders.decode import open_video
from videogn.video.encode import write_video


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture
def videos(motion, tmp_path):
    """A video, one with an odd name, and a broken one."""
    source = sorted(motion.glob("val/*/*.mp4"))[0]
    for name in ("a/v.mp4", "b/odd\n\udcff.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / "videos" / name)
    (tmp_path / "videos" / "broken.mp4").touch()
    return tmp_path / "videos"


def test_every_video_that_is_classified_has_its_pictures(videogn, capsys, checkpoint, videos, tmp_path):
    pytest.importorskip("captum")
    out = tmp_path / "new" / "pictures"
    folders = [argument for flag in ("--plot", "--overlay", "--explain") for argument in (flag, out)]
    assert videogn("predict", videos, "--checkpoint", checkpoint, "--clips=2", "--format=jsonl", *folders) == 1
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 3
    assert printed.out.count("error") == 1
    made = sorted(path.name for path in out.iterdir())
    assert [name[:6] for name in made] == ["odd__."] * 4 + ["v.mp4."] * 4
    stem = next(name for name in made if name.endswith(".explained.png")).removesuffix(".explained.png")
    for ending in (".png", ".explained.png"):
        assert min(Image.open(out / (stem + ending)).size) > 400
    for ending in (".mp4", ".explained.mp4"):
        with open_video(out / (stem + ending)) as video:
            assert (video.info.frames, video.info.height, video.info.width) == (32, 128, 128)


def test_videos_whose_rows_are_there_are_said_to_have_no_pictures(videogn, capsys, checkpoint, videos, tmp_path):
    options = ("--checkpoint", checkpoint, "--clips=1", "--output", tmp_path / "s.jsonl")
    assert videogn("predict", videos / "a", *options) == 0
    assert "pictures" not in capsys.readouterr().err
    assert videogn("predict", videos / "a", *options, "--plot", tmp_path / "out") == 0
    assert "no pictures of the 1 that were scored before" in capsys.readouterr().err


def test_with_a_timeline_its_windows_are_drawn(videogn, capsys, checkpoint, videos, tmp_path):
    options = ("--checkpoint", checkpoint, "--timeline=0.2", "--overlay", tmp_path / "out", "--format=jsonl")
    assert videogn("predict", videos / "a", *options) == 0
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".mp4"]
    assert '"start"' in capsys.readouterr().out


def test_a_video_that_decodes_only_where_its_clips_are_is_named(videogn, capsys, checkpoint, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (64, 32, 32, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", noise, 8, gop=8)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    half = len(data) * 3 // 4
    data[half : half + 2000] = os.urandom(2000)
    (tmp_path / "a.mp4").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    options = ("--checkpoint", checkpoint, "--clips=2", "--format=jsonl", "--overlay", "out")
    assert videogn("predict", "a.mp4#frames=0,64", *options) == 1
    printed = capsys.readouterr()
    assert '"predictions"' in printed.out
    assert "a.mp4#frames=0,64: no pictures of it: frame" in printed.err
    assert printed.err.splitlines()[-1] == "videogn: error: no pictures of 1 of the videos that were scored; see above"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "a file"], "--plot must be a folder, got the file"),
        (["--explain-class", "x"], "--explain-class is about the pictures of --explain, and no folder"),
        (
            ["--explain", "out", "--explain-class", "drift lefft"],
            "must be a class of the network, got 'drift lefft'; did you",
        ),
        (["--timeline", "1", "--plot", "out"], "--plot is about whole videos: with --timeline there is --overlay"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    videogn, capsys, checkpoint, videos, tmp_path, monkeypatch, options, message
):
    pytest.importorskip("captum")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").touch()
    assert videogn("predict", videos, "--checkpoint", checkpoint, *options) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert message in line
