"""Several labels a video from fit to predict, on drawn videos whose classes are colours."""

from __future__ import annotations

import csv
import itertools
import json

import numpy as np
import pytest
import torch
from training import SMALL, TINY

from videogn.evaluation.average_precision import average_precisions
from videogn.exporting.export import export
from videogn.inference import Predictor
from videogn.training.verification import verify_results
from videogn.video.encode import write_video

NAMES = ("red", "green", "blue")
SETS = [chosen for count in range(4) for chosen in itertools.combinations(range(3), count)]


@pytest.fixture
def colours(tmp_path):
    """All sets of three colours, once; the list is for training and validation."""
    with (tmp_path / "list.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "labels"])
        for number, shown in enumerate(SETS):
            frames = np.full((8, 36, 36, 3), 30, np.uint8)
            frames[..., list(shown)] = 200
            write_video(str(tmp_path / f"{number}.mp4"), frames)
            lines.writerow([f"{number}.mp4", ";".join(NAMES[k] for k in shown)])
    return tmp_path


def _run(command, folder, *more):
    data = [f"--data.train={folder / 'list.csv'}", f"--data.val={folder / 'list.csv'}", "--data.batch_size=4"]
    logger = "--trainer.logger.class_path=lightning.pytorch.loggers.CSVLogger"
    places = [f"--trainer.logger.init_args.save_dir={folder}", "--trainer.logger.init_args.name="]
    return [command, *SMALL, *data, logger, *places, "--trainer.logger.init_args.version=", *more]


def test_from_fit_to_predict(videogn, colours, capsys):
    options = ["--trainer.max_epochs=1", "--model.class_weights=balanced", "--model.focal_gamma=1", "--model.mixup=0.8"]
    monitored = ["--checkpoint.monitor=val/map", "--checkpoint.mode=max"]
    assert videogn(*_run("fit", colours, *TINY, *options, *monitored)) == 0
    checkpoint = colours / "checkpoints" / "last.ckpt"
    hparams = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert hparams["several_labels"] is True
    assert hparams["class_names"] == sorted(NAMES)
    results = colours / "results"
    kept = [f"--model.results_dir={results}", "--model.save_clip_probabilities=true"]
    assert videogn(*_run("test", colours, f"--ckpt_path={checkpoint}", *kept)) == 0
    summary = json.loads((results / "results.json").read_text())
    assert f"mAP {100 * summary['over_all']['map']:.1f} %" in (results / "report.html").read_text()
    predictor = Predictor(checkpoint, num_clips=3, device="cpu", time_limit=0)
    found = list(predictor.predict([colours / f"{number}.mp4" for number in range(len(SETS))]))
    scores = np.stack([each.probabilities for each in found])
    assert np.abs(scores.sum(axis=1) - 1).max() > 0.05  # one for each label, and no distribution over them
    place = [predictor.class_names.index(name) for name in NAMES]
    shown = np.zeros((len(SETS), 3), bool)
    for number, chosen in enumerate(SETS):
        shown[number, [place[k] for k in chosen]] = True
    expected = np.mean(average_precisions(scores, shown, shown.sum(axis=0)))
    assert summary["over_all"]["map"] == pytest.approx(expected, abs=1e-6)
    _check_verification(results, summary)
    with pytest.raises(ValueError, match="a timeline needs a network of one class a video"):
        predictor.timeline(colours / "0.mp4", stride=1)
    with pytest.raises(ValueError, match="the Hugging Face layout needs a network of one class a video"):
        predictor.save_pretrained(colours / "folder")
    with pytest.raises(ValueError, match="videogn export needs a network of one class a video"):
        export(checkpoint, "torch-export", colours / "network.pt2")
    (colours / "one.txt").write_text("\n".join(f"{number}.mp4 {NAMES[number % 3]}" for number in range(8)))
    given = [f"--ckpt_path={checkpoint}", "--data.train=null", "--data.val=null", f"--data.test={colours / 'one.txt'}"]
    assert videogn(*_run("test", colours, *given)) == 2
    assert "trained on several labels a video, and these videos have one" in capsys.readouterr().err


def _check_verification(results, summary):
    """The results verify; not with another mAP, and without the scores of all classes that is not known."""
    found = verify_results(results, workers=0, tolerance=0.0)
    assert (found.verified, len(found.checks), found.unknown) == (True, len(SETS), [])
    summary["over_all"]["map"] += 0.01
    (results / "results.json").write_text(json.dumps(summary))
    (difference,) = verify_results(results, videos=1, workers=0).differences
    assert difference.startswith("over_all.map is ")
    (results / "clip_probabilities.parquet").unlink()
    found = verify_results(results, videos=1, workers=0)
    assert found.verified
    assert found.unknown[0].startswith("mAP: ")
    summary["over_all"]["map"] -= 0.01
