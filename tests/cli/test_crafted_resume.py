"""What the commands of a trainer make of checkpoints that are damaged, crafted or give no numbers."""

from __future__ import annotations

import json
import os

import pytest
import torch
from training import evaluation_arguments, fit_arguments


@pytest.fixture(scope="module")
def content(trained):
    return torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)


def _last_line(capsys):
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


def test_a_test_needs_nothing_but_the_network(videogn, motion, tmp_path, content):
    """What the file says of its training run, and of Lightning's version, may be anything."""
    odd = {"loops": {"fit_loop": 3}, "callbacks": [1], "pytorch-lightning_version": "0.0.1", "VideoDataModule": 5}
    torch.save({**content, **odd}, tmp_path / "odd.ckpt")
    assert videogn(*evaluation_arguments("test", motion, tmp_path, tmp_path / "odd.ckpt", "--data.num_clips=1")) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loops": {"fit_loop": 3}}, "is no training run to go on with: it does not say how far it is"),
        (
            {"loops": {"fit_loop": {"epoch_progress": {"current": {"ready": "2"}}}}},
            "ready must be a whole number from 0",
        ),
        ({"callbacks": [1]}, "cannot be restored"),
        ({"optimizer_states": 3}, "cannot be restored"),
        ({"lr_schedulers": None}, "cannot be restored"),
        ({"global_step": -1}, "global_step must be a whole number from 0"),
    ],
    ids=["loops", "counts", "callbacks", "optimiser", "schedulers", "steps"],
)
def test_a_fit_says_what_does_not_fit(videogn, motion, tmp_path, capsys, content, changes, reason):
    torch.save({**content, **changes}, tmp_path / "odd.ckpt")
    more = [f"--ckpt_path={tmp_path / 'odd.ckpt'}", "--trainer.max_epochs=2"]
    assert videogn(*fit_arguments(motion, tmp_path / "out", *more)) == 2
    line = _last_line(capsys)
    assert line.startswith(f"videogn: error: {tmp_path / 'odd.ckpt'} ")
    assert reason in line


def test_paths_of_a_checkpoint_are_not_followed(videogn, motion, tmp_path, content):
    """Neither copied nor removed: a pipe for the best one, and a folder among those that give way to better ones."""
    os.mkfifo(tmp_path / "pipe.ckpt")
    (tmp_path / "kept.ckpt").mkdir()
    folder = str(tmp_path / "out" / "checkpoints")
    state = {"monitor": "val/top1", "best_model_score": torch.tensor(0.0), "current_score": None, "dirpath": folder}
    outside = f"{folder}/../../kept.ckpt"
    state |= {"best_model_path": str(tmp_path / "pipe.ckpt"), "best_k_models": {outside: torch.tensor(-1.0)}}
    state |= {"kth_best_model_path": outside, "kth_value": torch.tensor(-1.0), "last_model_path": outside}
    callbacks = {
        key: state if key.startswith("RunCheckpoint") else value for key, value in content["callbacks"].items()
    }
    torch.save({**content, "callbacks": callbacks}, tmp_path / "crafted.ckpt")
    more = [f"--ckpt_path={tmp_path / 'crafted.ckpt'}", "--trainer.max_epochs=2"]
    assert videogn(*fit_arguments(motion, tmp_path / "out", *more)) == 0
    assert (tmp_path / "kept.ckpt").is_dir()
    assert sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


@pytest.mark.parametrize("share", [1, 0.5])
def test_a_network_that_gives_no_numbers(videogn, motion, tmp_path, capsys, caplog, content, monkeypatch, share):
    """For all videos status 1 and why, for some a warning; the results say it too."""
    torch.save(content, tmp_path / "last.ckpt")
    if share == 1:
        state = {name: value * float("nan") for name, value in content["state_dict"].items()}
        torch.save({**content, "state_dict": state}, tmp_path / "last.ckpt")
    else:
        from videogn.training import task

        asked = iter(range(1000))

        def every_other(net, views, *args, **options):
            if next(asked) % 2:
                raise ValueError("the network gave logits that are not finite (NaN or infinity)")
            return of_views(net, views, *args, **options)

        of_views = task.score_views
        monkeypatch.setattr(task, "score_views", every_other)
    status = videogn(*evaluation_arguments("test", motion, tmp_path, tmp_path / "last.ckpt", "--data.num_clips=1"))
    counts = json.loads((tmp_path / "results.json").read_text())["counts"]
    error = capsys.readouterr().err
    if share == 1:
        assert status == 1
        assert (counts["evaluated"], counts["without_scores"]) == (0, counts["expected"])
        assert (
            error.strip().splitlines()[-1].startswith("videogn: error: no video got a score, because the network's out")
        )
    else:
        assert status == 0
        assert counts["without_scores"] == counts["expected"] // 2
        assert (
            f"not finite (NaN or infinity) for {counts['without_scores']} of the {counts['expected']} videos"
            in caplog.text
        )
