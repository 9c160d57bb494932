"""The model card: its numbers are those of results.json, it names no place of a machine, the Hub reads it."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
import yaml
from scipy import stats
from training import evaluation_arguments

from videogn.inference import Predictor, load_network
from videogn.inference.pretrained import save_pretrained
from videogn.inference.run_records import find_records

RESULTS = {
    "over_all": {"top1": 0.25, "top5": 0.875, "videos": 16},
    "over_decodable": {"top1": 4 / 15, "top5": 14 / 15, "videos": 15},
    "k_of_top5": 5,
    "per_clip_top1": 0.2,
    "counts": {"expected": 16, "evaluated": 15, "failed": 1, "without_scores": 0, "not_tested": 0, "unlabelled": 0},
    "protocol": {
        "clips": 10,
        "starts": "slowfast",
        "crops": "three_crop",
        "short_side": 256,
        "clip_length": 8,
        "interval": 2,
        "fps": 12.5,
    },
    "index_sha256": "0123abcd",
    "videos_from": {"split": "val", "root": "/home/someone/secret/K400", "given": None},
    "versions": {"torch": "2.6.0", "av": "18.0"},
}


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a finished training run, with results of its checkpoint beside it."""
    folder = shutil.copytree(trained, tmp_path / "a run")
    last = folder / "checkpoints" / "last.ckpt"
    _, about = load_network(last)
    model = {name: about[name] for name in ("arch", "norm", "norm_options", "arch_options")}
    classes = [{"class": name, "videos": 2, "top1": 0.5} for name in about["class_names"]]
    _write(folder, {**RESULTS, "model": model, "per_class": classes, "checkpoint": str(last)})
    return folder


def _write(folder, results):
    (folder / "results.json").write_text(json.dumps(results))


def _card(source, out, **options):
    net, about = load_network(source)
    return (save_pretrained(net, about, out, source=source, **options) / "README.md").read_text(encoding="utf-8")


def _front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_numbers_are_those_of_the_results(run, tmp_path):
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "my network")
    front = _front_matter(card)
    (entry,) = front["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "my network"
    assert {metric["name"]: metric["value"] for metric in result["metrics"]} == {
        "top-1 accuracy": 0.25,
        "top-5 accuracy": 0.875,
    }
    assert result["dataset"] == {"name": "K400", "type": "videofolder", "split": "val"}
    rows = re.findall(r"^\| top-(\d) \| (.+?) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \| (\d+) \|$", card, re.M)
    wanted = []
    for of, right, videos in (("all videos", (4, 14), 16), ("videos that decode", (4, 14), 15)):
        for k, number in zip("15", right, strict=True):
            ends = stats.binomtest(number, videos).proportion_ci(0.95, method="wilson")
            percent = [f"{100 * value:.2f}" for value in (number / videos, ends.low, ends.high)]
            wanted.append((k, of, *percent, str(videos)))
    assert rows == wanted
    assert "Data: K400, val videos: 16 expected, 15 evaluated, 1 failed." in card
    assert "10 clips a video of 8 frames, interval 2 at 12.5 frames per second, starts `slowfast`" in card
    assert "0123abcd" in card
    assert re.search(r"^\| torch \| \S+ \| 2\.6\.0 \|$", card, re.M)


def test_the_training_run(run, tmp_path):
    """Its settings train the same network again: they are a configuration, without places of this machine."""
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    settings = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert (settings["model"]["arch"], settings["model"]["arch_options"]) == ("i3d_tiny", {"width": 8})
    assert settings["trainer"]["max_epochs"] == 1
    assert settings["data"]["train_short_sides"] == [32, 36]
    assert "The weights are those of `last.ckpt`." in card
    assert "videogn fit --config training.yaml --data.root VIDEOS" in card


def test_it_names_no_place_of_this_machine(run, tmp_path):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("init_from: null", f"init_from: {tmp_path}/private/start.pth"))
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    assert "init_from: start.pth" in card
    assert str(tmp_path) not in card
    assert "secret" not in card


def test_settings_of_the_card_are_a_configuration(videogn, run, motion, tmp_path):
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    (tmp_path / "training.yaml").write_text(card.split("```yaml\n")[1].split("```")[0])
    arguments = evaluation_arguments("fit", motion, tmp_path / "again", None)
    arguments = [word for word in arguments if "ckpt_path" not in word]
    options = ("--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1")
    assert videogn(*arguments, f"--config={tmp_path / 'training.yaml'}", *options) == 0
    _, about = load_network(tmp_path / "again" / "checkpoints" / "last.ckpt")
    assert (about["arch"], about["clip_length"], about["crop_size"]) == ("i3d_tiny", 4, 32)


def test_what_is_not_known_is_said(run, tmp_path):
    last = shutil.copy(run / "checkpoints" / "last.ckpt", tmp_path)
    card = _card(last, tmp_path / "out")
    assert "model-index" not in _front_matter(card)
    assert "Not measured, or the test's results.json was not at hand" in card
    assert "How they were trained was not at hand" in card


def test_the_licence_is_a_blank(run, tmp_path):
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    assert "license" not in _front_matter(card)
    assert "# license: to be filled in" in card
    assert card.rstrip().endswith("**To be filled in by whoever publishes this model:** ______")


def test_the_hub_reads_it(run, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    data = hub.ModelCard.load(tmp_path / "out" / "README.md").data
    assert (data.library_name, data.pipeline_tag) == ("videogn", "video-classification")
    assert data.tags == ["video-classification", "videogn", "i3d_tiny", "gn"]
    assert [(one.metric_name, one.metric_value) for one in data.eval_results] == [
        ("top-1 accuracy", 0.25),
        ("top-5 accuracy", 0.875),
    ]
    assert data.eval_results[0].task_type == "video-classification"


def test_results_of_another_test_are_not_taken_over(run, tmp_path, caplog):
    """Beside the checkpoint, but of another: passed over with a line. Where the user says so: an error."""
    last = run / "checkpoints" / "last.ckpt"
    results = json.loads((run / "results.json").read_text())
    _write(run, {**results, "checkpoint": "zoo:x3d_s"})
    assert "model-index" not in _front_matter(_card(last, tmp_path / "out"))
    assert "results.json is not taken over into the model card: it is the test of zoo:x3d_s" in caplog.text
    _write(run, results)
    os.utime(last, (2**32, 2**32))
    assert "model-index" not in _front_matter(_card(last, tmp_path / "older"))
    assert "last.ckpt, which may have been trained further" in caplog.text
    assert "model-index" in _front_matter(_card(last, tmp_path / "given", results=run))
    for change, reason in [
        ({"model": {**results["model"], "norm": "bn"}}, "its norm is bn, not gn"),
        ({"per_class": results["per_class"][1:]}, "its classes are others"),
    ]:
        _write(run, {**results, **change})
        with pytest.raises(ValueError, match=f"is the test of another network: {reason}"):
            _card(last, tmp_path / "other", results=run / "results.json")


def test_what_are_no_results(run, tmp_path):
    net_about = load_network(run / "checkpoints" / "last.ckpt")[1]
    for content in ("", "{}", "[]", '{"over_all": {"top1": 0.75}}'):
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(ValueError, match=r"is not a results\.json of `videogn test`"):
            find_records("last.ckpt", net_about, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*nowhere"):
        find_records("last.ckpt", net_about, tmp_path / "nowhere")


def test_a_part_of_a_test_has_no_accuracy(run, tmp_path):
    """Accuracies that are not known are null in results.json."""
    results = json.loads((run / "results.json").read_text())
    unknown = {"top1": None, "top5": None, "videos": 0}
    _write(run, {**results, "over_all": unknown, "over_decodable": unknown})
    card = _card(run / "checkpoints" / "last.ckpt", tmp_path / "out")
    assert "No accuracy is known." in card
    assert "model-index" not in _front_matter(card)


def test_from_the_predictor(run, tmp_path):
    predictor = Predictor(run / "checkpoints" / "last.ckpt", device="cpu", time_limit=0)
    predictor.save_pretrained(tmp_path / "out")
    assert "model-index" in _front_matter((tmp_path / "out" / "README.md").read_text())
