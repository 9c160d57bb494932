"""Scoring by Ray: the rows of a local run, a video that kills its workers, and what stays after Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from videogn.cli.scoring_progress import ScoringProgress
from videogn.inference.bulk import slices
from videogn.system.ray_connection import RayConnection
from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video

ROWS = 10
WHITE, EMPTY, MISSING = 4, 6, 8


@pytest.fixture(scope="module")
def by_ray():
    """Options of the command; one Ray for all tests of this module, whose workers find the network."""
    pytest.importorskip("ray")
    outside = Path(__file__).parents[1] / "outside"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(outside)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(outside), *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("RAY_AUTH_TOKEN", 64 * "0")  # or Ray would write one into the home folder
        connection = RayConnection(None, jobs=1)
        yield ["--engine=ray", "--jobs=1"]
        connection.close()


@pytest.fixture(scope="module")
def videos(by_ray, tmp_path_factory):
    """A folder with a checkpoint and a list: good videos, a deadly one, an empty file, a missing one, odd names."""
    folder = tmp_path_factory.mktemp("by ray")
    task = VideoClassifier(
        "own_nets.fatal_net", norm="bn", class_names=["jump", "run"], clip_length=4, crop_size=32, short_side=32
    )
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, folder / "net.ckpt")
    draw = np.random.default_rng(0)
    names = [os.fsencode(folder / f"{number} ü.mp4") for number in range(ROWS - 1)]
    for number, name in enumerate(names):
        frames = np.full((16, 32, 32, 3), 255, np.uint8)
        if number != WHITE:
            frames = draw.integers(0, 255, frames.shape, np.uint8)
        write_video(os.fsdecode(name), frames)
    os.truncate(names[EMPTY], 0)
    os.remove(names[MISSING])
    names.append(os.fsencode(folder) + b"/\xff\n.mp4")
    os.link(names[0], names[-1])
    for which, some in {"all": names, "first": names[:2], "harmless": names[:WHITE] + names[WHITE + 1 :]}.items():
        (folder / which).write_bytes(b"\0".join(some))
    return folder


@pytest.fixture
def run(videogn, videos):
    def command(which, output, *more):
        what = ["--list", videos / which, "--null", "--output", output, "--checkpoint", videos / "net.ckpt"]
        return videogn("predict", *what, "--clips=2", "--workers=1", "--trust=own_nets", *more)

    return command


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def scores(found):
    return [named["score"] for row in found for named in row.get("predictions", [])]


def without_scores(found):
    return [(row["path"], row.get("error"), [named["label"] for named in row.get("predictions", [])]) for row in found]


@pytest.mark.slow
def test_rows_are_those_of_a_local_run(run, by_ray, tmp_path, monkeypatch, capsys):
    """Begun locally, gone on with by Ray; a deadly video loses its workers, is found, and only it fails."""
    monkeypatch.setattr(slices, "MOST_LOSSES", 2)  # each worker takes seconds to start
    local, output = tmp_path / "local.jsonl", tmp_path / "scores.jsonl"
    assert run("harmless", local) == 1
    assert run("first", output) == 0
    capsys.readouterr()
    assert run("all", output, *by_ray) == 1
    assert f"{ROWS} expected, {ROWS - 3} evaluated, 3 failed" in capsys.readouterr().err
    found = rows(output)
    deadly = found.pop(WHITE)
    assert deadly["path"].endswith(f"{WHITE} ü.mp4")
    assert deadly["error"].startswith("2 workers were lost at it; ActorDiedError: ")
    assert without_scores(found) == without_scores(rows(local))
    assert scores(found) == pytest.approx(scores(rows(local)), abs=1e-6)
    assert run("all", output) == 1  # nothing is left to score, or this process would be lost
    assert len(rows(output)) == ROWS


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes by their names")
def test_after_an_interrupt_no_worker_is_left_and_a_local_run_goes_on(run, by_ray, tmp_path, monkeypatch, capsys):
    output, add = tmp_path / "scores.jsonl", ScoringProgress.add

    def stop(progress, prediction, known=0):
        add(progress, prediction, known)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ScoringProgress, "add", stop)
        assert run("harmless", output, *by_ray) == 130
    assert "interrupted: 1 row is kept in " in capsys.readouterr().err
    assert not output.exists()
    deadline = time.monotonic() + 20
    while _workers() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _workers() == []
    assert run("harmless", output) == 1
    assert len(rows(output)) == ROWS - 1
    assert not any(name in capsys.readouterr().err for name in ("Traceback", "ray"))


def _workers():
    """Processes of this session that Ray names by our class, and what they have forked, if it outlives them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(ProcessLookupError):
            command = process.info["cmdline"] or [""]
            if command[0].startswith("ray::Worker") and os.getsid(process.pid) == os.getsid(0):
                found.append(process)
    return found
