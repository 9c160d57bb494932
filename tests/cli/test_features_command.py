"""videogn features: a Parquet file of clips, kept as it comes."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from videogn.inference import Predictor


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture
def folder(motion, tmp_path):
    """Two good files and an empty one between them."""
    (tmp_path / "videos").mkdir()
    for name, video in zip(("a.mp4", "c.mp4"), sorted(motion.glob("val/*/*.mp4")), strict=False):
        shutil.copy(video, tmp_path / "videos" / name)
    (tmp_path / "videos" / "b.mp4").touch()
    return tmp_path / "videos"


@pytest.fixture
def command(videogn, checkpoint, folder, tmp_path):
    plain = ("--time-limit=0", "--workers=0", "--precision=32", "--clips=2", "--device=cpu")
    return lambda *more: videogn("features", folder, "--checkpoint", checkpoint, "--output", tmp_path / "f.parquet",
                                 *plain, *more)  # fmt: skip


def test_a_row_a_clip_and_one_for_a_file_that_failed(command, capsys, checkpoint, folder, tmp_path):
    assert command() == 1
    assert capsys.readouterr().err.splitlines()[-1] == "3 expected, 2 evaluated, 1 failed"
    table = pq.read_table(tmp_path / "f.parquet")
    assert str(table.schema.field("features").type) == "fixed_size_list<element: float>[256]"
    assert table["path"].to_pylist() == [str(folder / f"{name}.mp4") for name in "aabcc"]
    assert table["error"].to_pylist() == [None, None, "file is empty", None, None]
    predictor = Predictor(checkpoint, num_clips=2, device="cpu", time_limit=0, precision="32")
    wanted = [next(predictor.features(folder / f"{name}.mp4")) for name in "ac"]
    features = table["features"].combine_chunks()
    assert features.null_count == 1
    found = np.stack([row for row in features.to_pylist() if row is not None])
    np.testing.assert_array_equal(found, np.concatenate([each.features for each in wanted]))
    times = list(zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True))
    assert times == [*wanted[0].clip_times, (None, None), *wanted[1].clip_times]
    before = found
    assert command("--per=video") == 1  # from the rows that are kept
    assert capsys.readouterr().err.splitlines()[-1].endswith("3 of them were scored before")
    table = pq.read_table(tmp_path / "f.parquet")
    assert table["path"].to_pylist() == [str(folder / f"{name}.mp4") for name in "abc"]
    means = [row for row in table["features"].to_pylist() if row is not None]
    np.testing.assert_allclose(means, before.reshape(2, 2, -1).mean(1), rtol=1e-6)
    assert table["start"][0].as_py() == wanted[0].clip_times[0][0]
    assert table["end"][0].as_py() == wanted[0].clip_times[1][1]


def test_files_that_all_fail_make_a_file_too(command, folder, tmp_path):
    for name in ("a.mp4", "c.mp4"):
        (folder / name).write_bytes(b"no video")
    assert command() == 1
    table = pq.read_table(tmp_path / "f.parquet")
    assert table["features"].null_count == len(table) == 3


@pytest.mark.parametrize(
    ("output", "reason"),
    [("f.csv", "--output must end in .parquet, got"), ("nowhere/f.parquet", "no such file or folder: ")],
)
def test_a_wrong_output_is_refused_first(videogn, capsys, checkpoint, folder, tmp_path, output, reason):
    assert videogn("features", folder, "--checkpoint", checkpoint, "--output", tmp_path / output) == 2
    assert reason in capsys.readouterr().err


def test_a_file_that_is_cut_short_has_those_of_what_decodes(command, folder, tmp_path, capsys):
    whole = (folder / "a.mp4").read_bytes()
    (folder / "a.mp4").write_bytes(whole[: len(whole) * 8 // 10])
    assert command("--use-truncated") == 1
    rows = pq.read_table(tmp_path / "f.parquet").to_pylist()
    assert [row["error"] is None for row in rows if row["path"].endswith("c.mp4")] == [True, True]


def test_lists_and_parts_of_them_are_those_of_predict(videogn, capsys, checkpoint, folder, tmp_path):
    (tmp_path / "names").write_bytes(b"\0".join(bytes(folder / f"{name}.mp4") for name in "abc"))
    (tmp_path / "none").touch()

    def command(*more):
        output = tmp_path / "f.parquet"
        return videogn("features", "--checkpoint", checkpoint, "--output", output, "--time-limit=0", *more)

    assert command("--list", tmp_path / "none") == 2
    assert capsys.readouterr().err.endswith("none names no video\n")
    assert command("--list", tmp_path / "names", "--null", "--shard=2/3") == 1
    assert pq.read_table(tmp_path / "f.parquet")["path"].to_pylist() == [str(folder / "b.mp4")]
