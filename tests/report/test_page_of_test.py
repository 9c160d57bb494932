"""The page of a test: the numbers of results.json, names of any characters, files that are missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tested import make_probabilities, write_test

from videogn.data.parquet_index import METADATA_KEY, VERSION
from videogn.evaluation.proportions import wilson_interval
from videogn.report.of_test import Extent, write_test_report
from videogn.report.of_test.results_folder import read_results
from videogn.video.encode import write_video

NAMES = ["dive", "jump | high", "<script>alert(1)</script>", "new\nline", "*star* & `tick` $x$", "نمی\u200cخواهم"]
VIDEOS = 90
FAILED = ((3, "frame 17 cannot be decoded"), (4, "frame 18 cannot be decoded"), (7, "file not found"))
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """(folder of a test, summary, probabilities of its videos, labels); two of its videos exist."""
    folder = tmp_path_factory.mktemp("tested")
    probabilities, labels = make_probabilities(VIDEOS, len(NAMES))
    labels[0], labels[11] = 0, -1
    probabilities[0, :] = np.eye(6, dtype=np.float32)[1]  # the most confidently wrong one
    paths = [str(folder / "videos" / f"{number}.mp4") for number in range(VIDEOS)]
    frames = np.random.default_rng(0).integers(0, 255, (30, 32, 48, 3), np.uint8)
    (folder / "videos").mkdir()
    write_video(paths[0], frames, fps=10)
    Path(paths[5]).write_bytes(b"no video")
    about = {"videos_from": {"split": "val", "root": str(folder / "videos"), "given": None}}
    summary = write_test(folder, NAMES, probabilities, labels, paths=paths, failed=FAILED, **about)
    write_test_report(folder)
    return folder, summary, probabilities, labels


def _pages(folder):
    return [(folder / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]


def _copied(tested, folder):
    for name in ("results.json", "predictions.parquet", "clip_probabilities.parquet"):
        shutil.copy(tested[0] / name, folder / name)
    return (folder, *tested[1:])


def _table(markdown, first):
    """Rows of the table whose head begins with a cell."""
    lines = markdown.split(f"| {first} |", 1)[1].splitlines()[2:]
    rows = lines[: lines.index("")] if "" in lines else lines
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_numbers_are_those_of_results_json(tested):
    folder, summary, _, _ = tested
    markdown, page = _pages(folder)
    low, high = wilson_interval(summary["over_all"]["top1"], VIDEOS - 1)
    said = f"Top-1 {100 * summary['over_all']['top1']:.1f} % (95 % interval over videos {100 * low:.1f} to"
    for text in (markdown, page):
        assert f"{said} {100 * high:.1f})" in text
        assert f"{100 * summary['over_decodable']['mean_class_accuracy']:.1f}" in text
        assert f"{100 * summary['calibration']['ece']:.2f} %" in text
        assert f"{summary['calibration']['nll']:.3f}" in text
    classes = _table(markdown, "class | most often taken for")
    assert [row[2] for row in classes] == [str(row["videos"]) for row in summary["per_class"]]
    assert [row[3] for row in classes] == [f"{100 * row['top1']:.1f}" for row in summary["per_class"]]
    assert sorted(int(row[5]) for row in classes) == list(range(len(NAMES)))
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "confusion.png", "reliability.png", "test_clips.png"
    }  # fmt: skip


def test_against_scikit_learn(tested):
    metrics = pytest.importorskip("sklearn.metrics")
    folder, summary, probabilities, labels = tested
    scored = np.array([n for n in range(VIDEOS) if labels[n] >= 0 and n not in dict(FAILED)])
    mean, true = probabilities[scored].mean(axis=1, dtype=np.float64), labels[scored]
    best = mean.argmax(axis=1)
    over = summary["over_decodable"]
    assert over["top1"] == pytest.approx(metrics.accuracy_score(true, best))
    assert over["mean_class_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, best))
    mean /= mean.sum(axis=1, keepdims=True)
    assert summary["calibration"]["nll"] == pytest.approx(metrics.log_loss(true, mean, labels=range(6)), rel=1e-5)
    found = read_results(folder)
    assert (found.confusion == metrics.confusion_matrix(true, best, labels=range(6))).all()
    recalls = metrics.recall_score(true, best, labels=range(6), average=None)
    assert [row["top1"] for row in summary["per_class"]] == pytest.approx(recalls)


def test_names_of_any_characters(tested):
    markdown, page = _pages(tested[0])
    assert page.count("<script>") == 1  # the one that sorts
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\\<script\\>alert(1)\\</script\\>" in markdown
    assert "jump \\| high" in markdown
    assert "نمی\u200cخواهم" in markdown
    assert "نمی\u200cخواهم" in page
    assert "new\\\\nline" in markdown
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)


def test_videos_to_look_at(tested):
    folder, *_ = tested
    markdown, page = _pages(folder)
    first = markdown.split("### Most confidently wrong", 1)[1].split("\n- ")[1]
    assert first.startswith(f"[0.mp4](file://{folder}/videos/0.mp4); Label: dive; Predicted: jump \\| high 100.0 %")
    assert "data:image/jpeg;base64," in page
    assert "frame 20, 2.0 s" in page
    assert "the file is not there" in page
    assert page.count("data:image/jpeg") in (3, 6)  # three clips, in one list or both


@pytest.mark.parametrize(
    ("root", "path", "former"),
    [
        ("/data/set", "/data/set/val/a/1.mp4", "/data/set"),
        ("set", "/data/set/val/a/1.mp4", "/data/set"),
        ("./set/", "/data/set/val/a/1.mp4", "/data/set"),
        ("set", "set/val/a/1.mp4", "set"),
        ("/other", "/data/set/val/a/1.mp4", "/data/set/val"),
        (None, "/data/set/val/a/1.mp4", "/data/set/val"),
        ("i.parquet", "/data/set/val/a/1.mp4", "/data/set/val"),
    ],
)
def test_the_root_that_was(tmp_path, root, path, former):
    probabilities, labels = make_probabilities(2, 2)
    paths = [path, path.replace("/a/", "/b/")]
    write_test(tmp_path, "ab", probabilities, labels, paths=paths, videos_from={"root": root})
    found = read_results(tmp_path, root=str(tmp_path))
    assert found.former_root == former
    assert found.present(path) == f"{tmp_path}{path[len(former) :]}"
    assert found.present("/elsewhere/1.mp4") == "/elsewhere/1.mp4"


def test_failures_that_differ_in_a_number_are_one(tested):
    rows = _table(_pages(tested[0])[0], "reason")
    assert rows == [["frame 17 cannot be decoded", "3.mp4", "2"], ["file not found", "7.mp4", "1"]]


def _write_index(path, root, numbers, **columns):
    facts = {METADATA_KEY: json.dumps({"version": VERSION, "root": str(root)})}
    columns = {"path": [f"{root}/{n}.mp4" for n in numbers], "label": ["dive"] * len(numbers), **columns}
    pq.write_table(pa.table(columns).replace_schema_metadata(facts), path)


def test_kinds_of_video(tested, tmp_path):
    folder, _, _, labels = _copied(tested, tmp_path)
    numbers = list(range(80))  # the index lacks some, and was made where the data set was before
    columns = {
        "duration": [0.5 * n for n in numbers], "width": [320] * 80, "height": [240 if n % 2 else 480 for n in numbers],
        "codec": ["h264" if n < 60 else "vp9" for n in numbers],
    }  # fmt: skip
    _write_index(tmp_path / "i.parquet", "/before", numbers, **columns)
    write_test_report(folder, Extent(index=str(tmp_path / "i.parquet"), videos=0))
    markdown, _ = _pages(folder)
    rows = _table(markdown.split("## Kinds of video")[1], "fact | value")
    found, right = read_results(folder), {}
    for n in numbers:
        if labels[n] >= 0:
            right.setdefault("h264" if n < 60 else "vp9", []).append(found.right[n])
    said = {name: [str(len(hits)), f"{100 * np.mean(hits):.1f}"] for name, hits in right.items()}
    assert {row[1]: row[2:4] for row in rows if row[0] == "codec"} == said
    assert [row[1] for row in rows if row[0] == "short side (pixels)"] == ["240", "320", "not known"]
    lengths = [row for row in rows if row[0] == "length (s)"]
    assert lengths[0][1] == "up to 9.5"
    assert lengths[-1][1] == "not known"
    assert sum(int(row[2]) for row in lengths) == VIDEOS - 1
    assert "which has 80 of 90 videos" in markdown


def test_what_is_no_index_of_ours_says_nothing_of_videos(tested, tmp_path):
    folder, *_ = _copied(tested, tmp_path)
    write_test_report(folder, Extent(index=str(folder / "predictions.parquet"), videos=0))
    kinds = _pages(folder)[0].split("## Kinds of video")[1].split("##")[0]
    assert "predictions.parquet says none of this" in kinds
    assert "| fact |" not in kinds


def test_without_clip_probabilities_and_by_an_earlier_version(tested, tmp_path):
    _, summary, *_ = _copied(tested, tmp_path)
    old = {key: value for key, value in summary.items() if key != "calibration"}
    (tmp_path / "results.json").write_text(json.dumps(old))
    write_test_report(tmp_path, Extent(videos=0))
    markdown = _pages(tmp_path)[0]
    for number in (f"{100 * summary['calibration']['ece']:.2f} %", f"{summary['calibration']['brier']:.3f}"):
        assert number in markdown  # from the clips
    (tmp_path / "clip_probabilities.parquet").unlink()
    write_test_report(tmp_path, Extent(videos=0))
    markdown = _pages(tmp_path)[0]
    assert f"{100 * summary['calibration']['ece']:.2f} %" in markdown
    assert "NLL and Brier score can be shown after a test with --model.save" in markdown.replace("\\", "")
    assert "Videos to look at" not in markdown


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", None, "no results.json in"),
        ("predictions.parquet", None, "no predictions.parquet in"),
        ("results.json", "{}", "no test's, or damaged"),
        ("predictions.parquet", "x", "no test's, or damaged"),
        ("results.json", {"over_all": {}}, "no test's, or damaged"),
        ("results.json", {"per_class": 3}, "no test's, or damaged"),
        ("results.json", {"over_decodable": {"top1": 1.0, "videos": 87}}, "videos right and .* of two tests"),
        ("results.json", {"per_class": [{"class": "dive"}]}, "names the class '.*of two tests"),
        ("predictions.parquet", pa.table({"path": ["a.mp4"]}), r"damaged \(no 'predictions.parquet: label'\)"),
    ],
)
def test_refusals(tested, tmp_path, name, content, message):
    _copied(tested, tmp_path)
    place = tmp_path / name
    summary = json.loads((tmp_path / "results.json").read_text())
    place.unlink()
    match content:
        case str():
            place.write_text(content)
        case dict():
            place.write_text(json.dumps(summary | content))
        case pa.Table():
            pq.write_table(content, place)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        write_test_report(tmp_path)


def test_every_video_failed_or_has_no_label(tmp_path):
    probabilities, labels = make_probabilities(4, 3)
    write_test(tmp_path / "a", "abc", probabilities, labels, failed=[(n, "file not found") for n in range(4)])
    write_test(tmp_path / "b", "abc", probabilities, np.full(4, -1), keep_clips=False)
    for name, said in (("a", "4 videos did not decode"), ("b", "4 videos had no label")):
        write_test_report(tmp_path / name)
        assert said in _pages(tmp_path / name)[0]


@pytest.mark.parametrize(
    ("classes", "change", "said", "unsaid"),
    [
        (1, {}, "on average its accuracy;", ("-0.0", "confusion.png", "Most often")),
        (5, {}, "| mean-class accuracy |", ("top-5", "None", "under-confident by")),
        (3, {"expected": 9}, "over all videos (not known: some were not tested), and over the 4", ("all 0 videos",)),
    ],
)
def test_what_says_nothing_is_left_out(tmp_path, classes, change, said, unsaid):
    """Top-5 of 5 classes, a confusion matrix of one; the accuracy over all videos where not all were tested."""
    probabilities, labels = make_probabilities(4, classes)
    write_test(tmp_path, "abcde"[:classes], probabilities, labels, **change)
    write_test_report(tmp_path)
    markdown = _pages(tmp_path)[0]
    assert said in markdown
    assert not [text for text in unsaid if text in markdown]


def test_another_test_removes_the_page(tmp_path):
    probabilities, labels = make_probabilities(4, 2)
    write_test(tmp_path, "ab", probabilities, labels)
    write_test_report(tmp_path)
    write_test(tmp_path, "ab", probabilities, labels)
    assert not list(tmp_path.glob("report.*"))


# It stands before the page's own policy, which lets the page's own script run and no other.
CLICKS = """<script>addEventListener("load", () => {
  const table = document.querySelector("table.sortable");
  const column = number => [...table.tBodies[0].rows].map(row => row.cells[number].textContent);
  const click = number => table.tHead.rows[0].cells[number].querySelector("button").click();
  const said = {};
  click(3); said.down = column(3); click(3); said.up = column(3); click(0); said.names = column(0);
  said.wide = document.documentElement.scrollWidth;
  said.fetched = performance.getEntriesByType("resource").map(entry => entry.name);
  parent.document.documentElement.setAttribute("data-said", JSON.stringify(said));
});</script>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_sorted_in_a_browser(tested, tmp_path):
    page = escape(_pages(tested[0])[1].replace("<head>", f"<head>{CLICKS}"))
    frame = f'<iframe style="border: 0; width: 400px; height: 900px" srcdoc="{page}"></iframe>'
    (tmp_path / "frame.html").write_text(f'<!DOCTYPE html><html><meta charset="utf-8">{frame}</html>', encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said = json.loads(unescape(re.search(r'data-said="([^"]*)"', done.stdout)[1]))
    assert [float(text) for text in said["down"]] == sorted(map(float, said["down"]), reverse=True)
    assert said["up"] != said["down"]
    assert sorted(said["up"]) == sorted(said["down"])
    assert set(said["names"]) == {name.replace("\n", "\\n") for name in NAMES}
    assert said["wide"] <= 400
    assert all(name.startswith("data:") for name in said["fetched"])
