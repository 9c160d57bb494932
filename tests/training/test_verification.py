"""Results of a real test, verified as they are, moved, and altered in one place each."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
from training import evaluation_arguments

from videogn.cli import main
from videogn.evaluation.recorded_results import read_recorded
from videogn.evaluation.summary_check import summary_differences
from videogn.training.verification import verify_results
from videogn.video.decoders.decode import open_video
from videogn.video.encode import write_video

ALL = {"videos": 16, "workers": 0, "tolerance": 0.0}


@pytest.fixture(scope="module")
def tested(motion, trained, tmp_path_factory):
    """The folder of a test with the probabilities of clips. Do not write to it."""
    out = tmp_path_factory.mktemp("tested")
    checkpoint = trained / "checkpoints" / "last.ckpt"
    more = (f"--model.results_dir={out / 'results'}", "--model.save_clip_probabilities=true")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["videogn", *evaluation_arguments("test", motion, out, checkpoint, *more)])
        with pytest.raises(SystemExit) as caught:
            main()
    assert caught.value.code == 0
    return out / "results"


@pytest.fixture
def copy(tested, tmp_path):
    return shutil.copytree(tested, tmp_path / "results")


@pytest.fixture
def data(motion, tmp_path):
    """The test videos, somewhere else."""
    return shutil.copytree(motion, tmp_path / "moved data")


def _rows(folder, name="predictions.parquet"):
    return pyarrow.parquet.read_table(folder / name).to_pylist()


def _write_rows(folder, rows, name="predictions.parquet"):
    """Write rows to the Parquet file, and those of predictions.parquet to the CSV as well."""
    table = pa.Table.from_pylist(rows, schema=pyarrow.parquet.read_schema(folder / name))
    pyarrow.parquet.write_table(table, folder / name)
    if name == "predictions.parquet":
        pyarrow.csv.write_csv(table, folder / "predictions.csv")


def _edit(folder, change):
    about = json.loads((folder / "results.json").read_text())
    change(about)
    (folder / "results.json").write_text(json.dumps(about))


def _said(found):
    assert not found.verified
    return "\n".join([*found.differences, *(f"{row.path}: {'; '.join(row.differences)}" for row in found.differing)])


def test_a_copy_verifies_to_the_bit(copy):
    found = verify_results(copy, **ALL)
    assert (found.verified, found.rows, len(found.checks), found.gap) == (True, 16, 16, 0.0)
    assert (found.unknown, found.versions) == ([], {})
    assert found.bound() == 0


def test_moved_videos_and_a_checkpoint_saved_anew_verify(copy, data, trained, tmp_path, monkeypatch):
    """What the results name is not read: only what is named now; the optimiser is no part of the network."""
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    del content["optimizer_states"]
    torch.save(content, tmp_path / "other.ckpt")
    _edit(copy, lambda about: about["videos_from"].update(root="/nowhere"))
    _edit(copy, lambda about: about.update(checkpoint="/nowhere.ckpt"))
    moved = {"root": str(data), "checkpoint": str(tmp_path / "other.ckpt")}
    assert verify_results(copy, **ALL, **moved).verified
    with pytest.raises(FileNotFoundError, match="name the place with --root"):
        verify_results(copy, **ALL, checkpoint=moved["checkpoint"])
    with pytest.raises(FileNotFoundError, match="name the place with --checkpoint"):
        verify_results(copy, **ALL, root=moved["root"])


def test_a_sample(copy):
    """Alike for one seed; the bound is that of 4 of 16."""
    first, again, other = (verify_results(copy, videos=4, seed=seed, workers=0) for seed in (1, 1, 2))
    assert first.verified
    assert [row.path for row in first.checks] == [row.path for row in again.checks]
    assert [row.path for row in first.checks] != [row.path for row in other.checks]
    assert first.bound() == 7  # C(9, 4) / C(16, 4) = 0.069, C(8, 4) / C(16, 4) = 0.038


def _summary(change):
    return lambda folder: _edit(folder, change)


def _row(column, value):
    def change(folder):
        rows = _rows(folder)
        rows[5][column] = value(rows[5][column], rows)
        _write_rows(folder, rows)

    return change


def _delete(folder):
    _write_rows(folder, _rows(folder)[:5] + _rows(folder)[6:])


def _double(folder):
    """The row of one video in the place of another's: the number stays."""
    rows = _rows(folder)
    _write_rows(folder, [*rows[:5], rows[6], *rows[6:]])


def _clip_probability(folder):
    rows = _rows(folder, "clip_probabilities.parquet")
    rows[5]["probabilities"][4] += 1e-3
    _write_rows(folder, rows, "clip_probabilities.parquet")


def _delete_clips(folder):
    _write_rows(folder, _rows(folder, "clip_probabilities.parquet")[1:], "clip_probabilities.parquet")


def _text_only(folder):
    path = folder / "predictions.csv"
    path.write_text(path.read_text().replace("0 10 21", "0 10 22", 1))


@pytest.mark.parametrize(
    ("alter", "said", "rows"),
    [
        (_row("score1", lambda score, _: score + 1e-3), "probability of '", 1),
        (_row("score5", lambda score, _: score - 1e-3), "probability of '", 1),
        (_row("top1", lambda _, rows: rows[5]["top2"]), "recorded classes are out of order", 1),
        (_row("clip_starts", lambda *_: "0 10 22"), "clips start at 0 10 22 recorded, 0 10 21 here", 1),
        (_row("clips", lambda *_: 2), "clips start at", 1),
        (_row("frames_checksum", lambda text, _: text[::-1]), "frames differ", 1),
        (_row("label", lambda _, rows: rows[0]["label"]), "in the data", 1),
        (_row("path", lambda *_: "elsewhere/a.mp4"), "not among the videos", 1),
        (_row("error", lambda *_: "corrupt"), "failed (corrupt) in the test, scored here", 1),
        (_clip_probability, "saved probabilities of clip 0 differ by 0.001", 1),
        (_delete, "has no row", 0),
        (_double, "has more rows than it is listed", 0),
        (_delete_clips, "clip_probabilities.parquet has other videos or labels", 0),
        (_text_only, "predictions.csv does not say what predictions.parquet says", 0),
        (_summary(lambda about: about["over_all"].update(top1=0.9)), "over_all.top1 is 0.9, and", 0),
        (_summary(lambda about: about.update(index_sha256="0" * 64)), "index: ", 0),
        (_summary(lambda about: about.update(weights_sha256="0" * 64)), "weights: ", 0),
        (_summary(lambda about: about["training"].update(seed=9)), "training: ", 0),
        (_summary(lambda about: about["protocol"].update(starts="endpoint")), "clips start at", 16),
    ],
)
def test_an_alteration_in_one_place_is_found(copy, alter, said, rows):
    alter(copy)
    found = verify_results(copy, **{**ALL, "tolerance": 1e-4})
    assert said in _said(found)
    assert len(found.differing) == rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about["over_decodable"].update(top5=1.0), "over_decodable.top5 is 1.0, and "),
        (lambda about: about["over_all"].update(mean_class_accuracy=1.0), "over_all.mean_class_accuracy is 1.0, and "),
        (lambda about: about["over_all"].update(videos=9), "over_all.videos is 9, and 16 by the rows"),
        (lambda about: about["calibration"].update(ece=0.5), "calibration.ece is 0.5, and "),
        (lambda about: about.update(per_clip_top1=0.5), "per_clip_top1 is 0.5, and "),
        (lambda about: about["per_class"][0].update(top1=0.75), "per_class[0].top1 is 0.75, and "),
        (lambda about: about["counts"].update(failed=1), "counts.failed is 1, and 0 by the rows"),
        (lambda about: about["failed"].append({"path": "a", "reason": "b"}), "failed is [{"),
    ],
)
def test_a_summary_that_does_not_follow_from_the_rows(copy, change, said):
    assert summary_differences(read_recorded(copy), expected=16, several_labels=False) == ([], [])
    _edit(copy, change)
    (found,), _ = summary_differences(read_recorded(copy), expected=16, several_labels=False)
    assert found.startswith(said)


def test_an_altered_weight_is_found(copy, trained, tmp_path):
    content = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    name = next(name for name in content["state_dict"] if name.startswith("net."))
    content["state_dict"][name].flatten()[0] += 1e-6
    torch.save(content, tmp_path / "other.ckpt")
    found = verify_results(copy, workers=0, checkpoint=str(tmp_path / "other.ckpt"))
    assert "weights: those of" in _said(found)


def _frames(path):
    with open_video(str(path), "pyav") as video:
        return video.frames(np.arange(video.info.frames))


@pytest.mark.parametrize("grey", [0, 40])
def test_a_video_encoded_again_is_found(copy, data, grey):
    """Also where one frame is altered on top of it."""
    path = sorted((data / "val").rglob("*.mp4"))[3]
    frames = _frames(path).copy()
    frames[21, 8:16, 8:16] += np.uint8(grey)
    write_video(str(path), frames)
    found = verify_results(copy, **ALL, root=str(data))
    assert "frames differ" in _said(found)
    assert [row.path.endswith(path.name) for row in found.differing] == [True]


def test_a_video_that_is_lost_is_found(copy, data):
    path = sorted((data / "val").rglob("*.mp4"))[3]
    path.write_bytes(b"")
    found = verify_results(copy, **ALL, root=str(data))
    assert "scored in the test, failed (" in _said(found)
    listed = data / "val.csv"
    lines = [line for line in listed.read_text().splitlines() if path.stem[:11] not in line]
    listed.write_text("\n".join(lines))
    found = verify_results(copy, **ALL, root=str(data))
    assert "index: " in _said(found)
    assert "not among the videos" in _said(found)


def test_failed_videos_verify(videogn, data, trained, tmp_path):
    """One that is empty is a failure again."""
    sorted((data / "val").rglob("*.mp4"))[3].write_bytes(b"")
    checkpoint = trained / "checkpoints" / "last.ckpt"
    arguments = evaluation_arguments(
        "test", data, tmp_path / "out", checkpoint, f"--model.results_dir={tmp_path / 'results'}"
    )
    assert videogn(*arguments, "--data.max_failures=1") == 0
    found = verify_results(tmp_path / "results", **ALL)
    assert found.verified
    assert found.unknown[0].startswith("top-1 of single clips, calibration: ")


def test_older_results_verify_as_far_as_they_say(copy):
    for new in ("weights_sha256", "computing", "loaded"):
        _edit(copy, lambda about, new=new: about.pop(new))
    _edit(copy, lambda about: about["videos_from"].update(read={"time_limit": 0}))
    table = pyarrow.parquet.read_table(copy / "predictions.parquet").drop_columns("frames_checksum")
    pyarrow.parquet.write_table(table, copy / "predictions.parquet")
    (copy / "predictions.csv").unlink()
    found = verify_results(copy, workers=0)
    assert found.verified
    assert [line.partition(":")[0] for line in found.unknown] == ["predictions.csv", "frames", "weights"]
    rows = _rows(copy)
    rows[2]["score1"] += 0.01
    _write_rows(copy, rows)
    assert "probability of" in _said(verify_results(copy, workers=0))


@pytest.mark.parametrize("lacking", ["model", "protocol", "protocol.crops"])
def test_results_that_do_not_say_how_they_were_made(copy, lacking):
    first, _, second = lacking.partition(".")
    _edit(copy, lambda about: (about[first] if second else about).pop(second or first))
    with pytest.raises(ValueError, match=f"does not say how it was tested: it has no {lacking}"):
        read_recorded(copy)


def test_the_command(videogn, copy, capsys):
    command = ("verify", copy, "--workers", "0", "--seed", "3")
    assert videogn(*command) == 0
    assert capsys.readouterr().out.splitlines() == [
        "16 of 16 videos tested again (seed 3): 0 differ; probabilities within 0 (tolerance 0.0001)",
        "verified: every row",
    ]
    assert videogn(*command, "--videos", "4") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "verified: with a confidence of 95 %, at most 44 % of the rows (7) differ"
    )
    rows = _rows(copy)
    _write_rows(copy, [{**row, "clip_starts": "1 2 3"} for row in rows])
    assert videogn(*command) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    assert lines[0] == f"{rows[0]['path']}: clips start at 1 2 3 recorded, 0 10 21 here"
    assert lines[10] == "... and 6 more"
    assert lines[-1] == "NOT VERIFIED"
    (copy / "predictions.parquet").unlink()
    assert videogn(*command) == 2
    assert "no predictions.parquet in" in capsys.readouterr().err
