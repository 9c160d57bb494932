"""videogn report, and the page at the end of a test."""

from __future__ import annotations

import json
import logging
import shutil

import pytest
from tested import make_probabilities, write_test

from videogn.cli.main import main
from videogn.cli.report_after_test import write_page


def _report(*arguments):
    with pytest.raises(SystemExit) as done:
        main(["report", *map(str, arguments)])
    return done.value.code


def test_the_command(tmp_path, capsys):
    probabilities, labels = make_probabilities(20, 3)
    write_test(tmp_path, "abc", probabilities, labels)
    assert _report(tmp_path, "--videos", "1") == 0
    assert capsys.readouterr().out == f"Report: {tmp_path}/report.html and {tmp_path}/report.md\n"
    assert (tmp_path / "report.md").read_text().count("(the file is not there)") == 2
    assert _report(tmp_path / "results.json", "--videos", "-1") == 2
    assert "--videos must be >= 0, got -1" in capsys.readouterr().err
    assert _report(tmp_path, "--index", tmp_path / "none.parquet") == 2
    assert "no such file or folder" in capsys.readouterr().err
    (tmp_path / "results.json").unlink()
    assert _report(tmp_path) == 2
    assert f"no results.json in {tmp_path}: name a folder that `videogn test` wrote" in capsys.readouterr().err


def test_a_test_does_not_fail_with_its_page(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        write_page(tmp_path)
    assert f"no page of the test could be written: no results.json in {tmp_path}" in caplog.text
    assert f"`videogn report {tmp_path}` tries again" in caplog.text


def test_videos_with_several_labels(tmp_path):
    """Results of such a test have no accuracy and no calibration; their labels are joined."""
    probabilities, labels = make_probabilities(6, 3)
    summary = write_test(tmp_path, "abc", probabilities, labels, keep_clips=False)
    nothing = dict.fromkeys(("top1", "top5", "mean_class_accuracy"))
    over = {**nothing, "map": 0.625, "videos": 6}
    del summary["calibration"]
    classes = [{"class": name, "videos": 3, "average_precision": 0.5} for name in "abc"]
    summary.update(over_all=over, over_decodable=over, per_clip_top1=None, per_class=classes)
    (tmp_path / "results.json").write_text(json.dumps(summary))
    assert _report(tmp_path) == 0
    markdown = (tmp_path / "report.md").read_text()
    assert "- mAP 62.5 % over all 6 videos." in markdown
    assert "average precision" in markdown
    for word in ("top-1", "Confusion", "Calibration", "Least certain", "test clips"):
        assert word not in markdown
    shutil.rmtree(tmp_path)
