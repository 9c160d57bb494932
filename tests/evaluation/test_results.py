"""Accuracies counted by hand, and the files they are written to."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

from videogn.axes import Sample
from videogn.evaluation import ResultCollection, VideoResult, score_video, write_results
from videogn.evaluation.result_files import predictions_table
from videogn.evaluation.results import in_words, per_class, summarise
from videogn.system.versions import package_versions

CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]
ABOUT = {"protocol": {"clips": 10, "starts": "nonlocal"}, "index_sha256": "ab" * 32, "seed": 3, "checkpoint": None}


def _result(position, label, order, *, hits=(True, False), **options):
    """Classes in `order`, with probabilities 0.4, 0.2, 0.1, 0.05 and 0.025."""
    scores = (0.4, 0.2, 0.1, 0.05, 0.025)
    top = tuple(zip(order, scores, strict=False))
    return VideoResult(position, f"v/{position}.mp4", label, top=top, clip_hits=hits, starts=(0, 7), **options)


# Labelled: 0 right, 1 right among five, 2 wrong, 3 failed, 4 right; unlabelled: 5.
RESULTS = [
    _result(4, 0, (0, 1, 2, 3, 4), hits=(True, True)),
    _result(0, 0, (0, 1, 2, 3, 4), short=True),
    _result(1, 1, (0, 2, 3, 4, 1), hits=(False, False)),
    _result(2, 6, (0, 1, 2, 3, 4), hits=(False, False)),
    VideoResult(3, "v/3.mp4", 1, error="file not found", decoded=False),
    _result(5, -1, (2, 1, 0, 3, 4), hits=(False, False)),
]


def _collected(results):
    collection = ResultCollection()
    for result in results:
        collection.add(result)
    return collection


@pytest.mark.parametrize(
    ("results", "expected", "num_classes", "text"),
    [
        (RESULTS, 6, 7, "6 expected, 5 evaluated, 1 failed; top-1 40.0 %, top-5 60.0 %"),
        (RESULTS, 600, 7, "600 expected, 5 evaluated, 1 failed, 594 not tested"),
        (RESULTS[-1:], 1, 7, "1 expected, 1 evaluated, 0 failed"),
        ([replace(RESULTS[0], top=RESULTS[0].top[:1])], 1, 1, "1 expected, 1 evaluated, 0 failed; top-1 100.0 %"),
        (
            [VideoResult(0, "a.mp4", 0, error="logits are not finite")],
            1,
            3,
            "1 expected, 0 evaluated, 0 failed, 1 without scores; top-1 0.0 %, top-3 0.0 %",
        ),
    ],
)
def test_the_outcome_in_words(results, expected, num_classes, text):
    assert in_words(summarise(results, expected=expected, num_classes=num_classes)) == text


def test_accuracies_by_hand():
    summary = summarise(RESULTS, expected=6, num_classes=7)
    # 6 expected, 1 of them unlabelled: 5 count; 4 labelled ones decoded; 2 right, 3 right among five.
    # Class 0: 2 of 2 right; class 1: 0 of 2, one of which failed; class 6: 0 of 1.
    assert summary["over_all"] == {"top1": 2 / 5, "top5": 3 / 5, "mean_class_accuracy": 1 / 3, "videos": 5}
    assert summary["over_decodable"] == {"top1": 2 / 4, "top5": 3 / 4, "mean_class_accuracy": 1 / 3, "videos": 4}
    assert summary["k_of_top5"] == 5
    assert summary["per_clip_top1"] == 3 / 8  # of the labelled ones
    assert summary["counts"] == {
        "expected": 6,
        "evaluated": 5,
        "failed": 1,
        "without_scores": 0,
        "not_tested": 0,
        "unlabelled": 1,
        "shorter_than_a_clip": 1,
    }
    assert summary["failed"] == [{"path": "v/3.mp4", "reason": "file not found"}]


def test_part_of_an_index_says_nothing_about_all_of_it():
    summary = summarise(RESULTS, expected=600, num_classes=7)
    assert summary["over_all"] == {"top1": None, "top5": None, "mean_class_accuracy": None, "videos": 0}
    assert summary["over_decodable"]["top1"] == 2 / 4
    assert summary["counts"]["not_tested"] == 594


def test_a_video_without_finite_scores_is_wrong_and_not_left_out():
    """It decoded: leaving it out would make a network that breaks on some videos look better."""
    results = [_result(0, 0, (0, 1)), VideoResult(1, "b", 1, error="not finite")]
    summary = summarise(results, expected=2, num_classes=7)
    half = {"top1": 0.5, "top5": 0.5, "mean_class_accuracy": 0.5, "videos": 2}
    assert summary["over_decodable"] == summary["over_all"] == half
    assert (summary["counts"]["failed"], summary["counts"]["without_scores"]) == (0, 1)
    assert per_class(results, CLASSES)[1]["top1"] == 0.0


def test_a_video_that_appears_twice_counts_once():
    """A distributed sampler repeats videos to fill its last batch."""
    once, twice = _collected(RESULTS), _collected([*RESULTS, *RESULTS[:3]])
    assert len(twice) == len(once) == 6
    assert list(twice) == list(once)
    assert summarise(twice, expected=7, num_classes=7) == summarise(once, expected=7, num_classes=7)
    assert per_class(twice, CLASSES) == per_class(RESULTS, CLASSES)


def test_the_same_file_listed_twice_counts_twice():
    """Videos are told apart by their position in the index, not by their path."""
    twice = [_result(0, 0, (0, 1)), replace(_result(1, 0, (0, 1)), path="v/0.mp4")]
    assert summarise(twice, expected=2, num_classes=7)["over_all"]["videos"] == 2
    assert summarise(twice, expected=2, num_classes=7)["counts"]["evaluated"] == 2


@pytest.mark.parametrize(("num_classes", "k"), [(1, 1), (2, 2), (4, 4), (5, 5), (400, 5)])
def test_top5_is_top_k_of_at_most_5(num_classes, k):
    assert summarise([], expected=0, num_classes=num_classes)["k_of_top5"] == k


def test_nothing_to_divide_by():
    empty = summarise([], expected=0, num_classes=3)
    assert empty["over_all"] == {"top1": None, "top5": None, "mean_class_accuracy": None, "videos": 0}
    assert empty["per_clip_top1"] is None
    failed = summarise([VideoResult(0, "a", 0, error="x", decoded=False)], expected=1, num_classes=3)
    assert failed["over_all"] == {"top1": 0.0, "top5": 0.0, "mean_class_accuracy": 0.0, "videos": 1}
    assert failed["over_decodable"]["top1"] is None
    unlabelled = summarise([_result(0, -1, (0, 1))], expected=1, num_classes=3)
    assert unlabelled["over_all"] == {"top1": None, "top5": None, "mean_class_accuracy": None, "videos": 0}


def test_per_class_by_hand():
    rows = per_class(RESULTS, CLASSES)
    assert [row["class"] for row in rows] == CLASSES
    assert [row["videos"] for row in rows] == [2, 1, 0, 0, 0, 0, 1]
    assert [row["top1"] for row in rows] == [1.0, 0.0, None, None, None, None, 0.0]


@pytest.mark.parametrize(("classes", "listed"), [(3, 3), (5, 5), (8, 5)])
def test_score_video(classes, listed):
    """The mean over clips, ranked; and for each clip whether its own best class is the label."""
    clips = torch.rand(4, classes, dtype=torch.float64)
    clips[:, 2] = torch.tensor([2.0, 0.0, 2.0, 0.0])
    clips /= clips.sum(1, keepdim=True)
    result = score_video(Sample(3, "a.mp4", 2, starts=(0, 5, 10, 15)), clips, short=True)
    means = [sum(clips[:, k].tolist()) / 4 for k in range(classes)]
    wanted = sorted(range(classes), key=lambda k: -means[k])[:listed]
    assert [number for number, _ in result.top] == wanted
    assert [score for _, score in result.top] == pytest.approx([means[k] for k in wanted])
    assert result.clip_hits == (True, False, True, False)
    assert (result.position, result.path, result.label, result.short) == (3, "a.mp4", 2, True)
    assert result.starts == (0, 5, 10, 15)
    assert result.error is None


def test_an_unlabelled_video_hits_nothing():
    result = score_video(Sample(0, "a", -1), torch.tensor([[0.7, 0.3]]))
    assert result.clip_hits == (False,)
    assert not result.hit(5)


def _write(folder, results=RESULTS, **about):
    return write_results(folder, _collected(results), classes=CLASSES, expected=6, about=ABOUT | about)


def test_files(tmp_path):
    """Three files and no leftovers; the JSON holds the summary, what the caller adds, and the versions."""
    folder = tmp_path / "new" / "folder"
    returned = _write(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["predictions.csv", "predictions.parquet", "results.json"]
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert found == returned
    assert found["over_all"] == {"top1": 2 / 5, "top5": 3 / 5, "mean_class_accuracy": 1 / 3, "videos": 5}
    assert {key: found[key] for key in ABOUT} == ABOUT
    assert found["per_class"] == per_class(RESULTS, CLASSES)
    assert found["versions"]["torch"] == package_versions()["torch"]
    assert torch.__version__.startswith(found["versions"]["torch"].split("+")[0])
    assert {"python", "videogn", "av", "pytorchvideo"} <= set(found["versions"])


def test_the_table_by_hand(tmp_path):
    """One row a video, in the order of the index."""
    _write(tmp_path)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [f"v/{n}.mp4" for n in range(6)]
    assert [row["label"] for row in rows] == ["ant", "bee", "gnu", "bee", "ant", ""]
    assert [row["top1"] for row in rows] == ["ant", "ant", "ant", "", "ant", "cat"]
    assert [row["top5"] for row in rows] == ["eel", "bee", "eel", "", "eel", "eel"]
    assert [row["score2"] for row in rows] == ["0.2", "0.2", "0.2", "", "0.2", "0.2"]
    assert [row["error"] for row in rows] == ["", "", "", "file not found", "", ""]
    assert [row["clips"] for row in rows] == ["2", "2", "2", "0", "2", "2"]
    assert [row["clip_starts"] for row in rows] == ["0 7", "0 7", "0 7", "", "0 7", "0 7"]


def test_csv_and_parquet_agree(tmp_path):
    """Also where names have commas, quotes and line breaks; an empty CSV field that is not quoted is a null."""
    odd = [replace(RESULTS[0], path='a, "b"\nc é 视频.mp4'), *RESULTS[1:]]
    _write(tmp_path, odd)
    parquet = pyarrow.parquet.read_table(tmp_path / "predictions.parquet")
    text = pyarrow.csv.read_csv(
        tmp_path / "predictions.csv",
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=parquet.schema, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    assert text.equals(parquet)
    assert parquet.column("path").to_pylist()[4] == 'a, "b"\nc é 视频.mp4'


def test_fewer_than_five_classes():
    table = predictions_table([_result(0, 1, (1, 0))], ["a", "b"])
    assert [name for name in table.column_names if name.startswith("top")] == ["top1", "top2"]


def test_a_table_of_failures_only_keeps_its_types():
    table = predictions_table([VideoResult(0, "a", -1, error="x")], CLASSES)
    assert table.schema.equals(predictions_table(RESULTS, CLASSES).schema)


def test_a_failure_while_writing_keeps_the_old_files(tmp_path, monkeypatch):
    _write(tmp_path)
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="disk full"):
        _write(tmp_path, [replace(result, label=3) for result in RESULTS[:2]])
    now = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(now) == sorted(old)
    assert now["predictions.parquet"] == old["predictions.parquet"]
    assert now["results.json"] == old["results.json"]


def test_files_that_a_killed_test_was_writing_are_removed(tmp_path):
    for name in (".results.0123abcd.partial.json", ".clip_probabilities.0123abcd.partial.parquet"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".notes.0123abcd.partial.json").write_bytes(b"of another writer")
    _write(tmp_path)
    kept = [".notes.0123abcd.partial.json", "predictions.csv", "predictions.parquet", "results.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_json_refuses_nan(tmp_path):
    _write(tmp_path)
    old = (tmp_path / "results.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        _write(tmp_path, loss=float("nan"))
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == old
    assert len(list(tmp_path.iterdir())) == 3


# Probabilities of the clips.


def _kept(position, label, clips):
    return score_video(Sample(position, f"v/{position}.mp4", label), torch.tensor(clips), keep_clips=True)


CLIPS = [[[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]], [[0.25, 0.25, 0.5]], [[0.2, 0.7, 0.1]] * 3]


def test_clip_probabilities_by_hand(tmp_path):
    """In the order of the index, clip by clip; null for a video that failed or whose clips were not kept."""
    results = [
        _kept(2, -1, CLIPS[2]),
        _kept(0, 0, CLIPS[0]),
        VideoResult(1, "v/1.mp4", 1, error="file not found", decoded=False),
        _kept(4, 2, CLIPS[1]),
        score_video(Sample(3, "v/3.mp4", 0), torch.tensor(CLIPS[0])),
    ]
    write_results(tmp_path, _collected(results), classes=CLASSES[:3], expected=5, about=ABOUT)
    table = pyarrow.parquet.read_table(tmp_path / "clip_probabilities.parquet")
    assert table.column("path").to_pylist() == [f"v/{n}.mp4" for n in range(5)]
    assert table.column("label").to_pylist() == [0, 1, -1, 0, 2]
    assert table.column("clips").to_pylist() == [2, 0, 3, 0, 1]
    assert table.schema.field("probabilities").type == pyarrow.list_(pyarrow.float32())
    rows = table.column("probabilities").to_pylist()
    assert rows[1] is rows[3] is None
    for row, clips in zip([rows[0], rows[2], rows[4]], [CLIPS[0], CLIPS[2], CLIPS[1]], strict=True):
        assert row == pytest.approx([p for clip in clips for p in clip], rel=1e-6)


def test_the_mean_over_clips_is_what_was_scored(tmp_path):
    clips = torch.rand(20, 10, 7).softmax(-1)
    results = [score_video(Sample(n, f"v/{n}.mp4", n % 7), clips[n], keep_clips=True) for n in range(20)]
    written = write_results(tmp_path, _collected(results), classes=CLASSES, expected=20, about=ABOUT)
    found = pyarrow.parquet.read_table(tmp_path / "clip_probabilities.parquet").to_pylist()
    best = [torch.tensor(row["probabilities"]).view(row["clips"], -1).mean(dim=0).argmax().item() for row in found]
    assert best == [result.top[0][0] for result in results]
    right = sum(guess == row["label"] for guess, row in zip(best, found, strict=True))
    assert written["over_all"]["top1"] == right / 20
    of_clips = [torch.tensor(row["probabilities"]).view(10, 7).argmax(dim=1) == row["label"] for row in found]
    assert written["per_clip_top1"] == int(torch.stack(of_clips).sum()) / 200


def test_clips_are_kept_only_when_asked_for(tmp_path):
    _write(tmp_path)
    assert not (tmp_path / "clip_probabilities.parquet").exists()
    assert score_video(Sample(0, "a", 0), torch.tensor(CLIPS[0])).clips is None


def test_half_precision_clips_are_float32():
    clips = torch.tensor(CLIPS[0], dtype=torch.bfloat16)
    assert score_video(Sample(0, "a", 0), clips, keep_clips=True).clips.dtype == "float32"


def test_old_clip_probabilities_do_not_stay_beside_new_results(tmp_path):
    write_results(tmp_path, _collected([_kept(0, 0, CLIPS[0])]), classes=CLASSES[:3], expected=1, about=ABOUT)
    _write(tmp_path)
    assert not (tmp_path / "clip_probabilities.parquet").exists()
