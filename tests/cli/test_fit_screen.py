"""What fit, validate and test show: their help, and the first lines of a run."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
import time

import pytest
from forked import start_forked
from training import evaluation_arguments, fit_arguments

from videogn.cli.lightning_cli import VideoCLI
from videogn.cli.training_parser import SECTIONS, SHORT


@pytest.fixture
def shown(videogn, capsys, monkeypatch):
    """The help of a command, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")

    def show(*arguments):
        assert videogn(*arguments) == 0
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_help_begins_with_the_run_the_model_and_the_data(shown, command):
    text = shown(command, "--help")
    places = [text.index(f"\n{title}:\n") for title in SECTIONS.values()]
    assert places == sorted(places)
    assert text.startswith(f"usage: videogn {command} ")
    assert len(text.splitlines()) < 300
    for option in (
        "--config",
        "--ckpt_path",
        "--trust",
        "--model.norm",
        "--model.lr",
        "--data.root",
        "--data.num_clips",
    ):
        assert f" {option}" in text
    assert "--trainer.detect_anomaly" not in text
    assert "--help=trainer" in text
    assert "my_videos" in text
    assert "data.clip_length" not in text  # the model's is the option


def test_every_option_that_the_short_help_rewords_exists(shown):
    text = shown("fit", "--help=all") + shown("test", "--help=all")
    for option in ("engine-file", "no-report"):  # those that are no settings
        text = text.replace(f"--{option}", f"--{option.replace('-', '_')}")
    assert all(f"--{name}" in text for name in SHORT)


@pytest.mark.parametrize(
    ("section", "there", "missing"),
    [
        ("trainer", "--trainer.detect_anomaly", "--model.norm"),
        ("checkpoint", "--checkpoint.every_n_epochs", "--trainer.devices"),
        ("model", "--model.norm", "--data.flip"),
        ("data", "--data.root", "--model.norm"),
        ("run", "--weights_only", "--data.flip"),
        ("all", "--trainer.detect_anomaly", "data.clip_length"),
    ],
)
def test_help_of_a_section(shown, section, there, missing):
    text = shown("fit", f"--help={section}")
    assert there in text
    assert missing not in text


def test_an_unknown_section(videogn, capsys):
    assert videogn("fit", "--help=trainr") == 2
    wanted = "all, run, model, tuning, data, checkpoint, trainer"
    assert f"--help must be one of {wanted}, got 'trainr'; did you mean 'trainer'?" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--config", "my_vidoes"], ["--config=my_vidoes"], ["-c", "my_vidoes"]])
def test_a_wrong_configuration_is_reported_before_anything_slow_is_imported(option):
    code = (
        "import sys\nfrom videogn.cli import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, 'lightning' in sys.modules)"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code, "fit", *option], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.split() == ["False", "False"]
    assert done.stderr == "videogn: error: no configuration 'my_vidoes'; did you mean 'my_videos'?\n"
    assert time.monotonic() - begun < 5


def test_nothing_at_all_asks_for_videos(videogn, capsys):
    assert videogn("fit") == 2
    assert "--data.root" in capsys.readouterr().err


def test_a_configuration_by_name(videogn, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert videogn("fit", "--config", "motion", "--config=kinetics400/one_gpu", "--print_config") == 0
    text = capsys.readouterr().out
    assert "arch: i3d_tiny" in text


@pytest.mark.slow
def test_the_first_lines_of_a_fit_are_about_the_run(motion, tmp_path):
    arguments = [a for a in fit_arguments(motion, tmp_path, "--model.norm=bn") if "summary" not in a]
    code = (  # the plan is waited for, however long it takes this machine
        "from videogn.training.callbacks import planned_memory\nplanned_memory._PATIENCE = float('inf')\n"
        "from videogn.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("i3d_tiny with bn, ")
    assert lines[0].endswith(" parameters; clips of 4 x 2, 8 classes; on cpu")
    assert lines[1] == "32 train videos, 4 a class; 16 val videos"
    assert lines[2].startswith("SGD, weight decay 0.0001 (")
    assert lines[3] == "effective batch: 8 clips a normalisation batch, 8 an optimiser step"
    assert lines[4].startswith("  (8 clips x 1 device x 1 accumulated), lr ")
    assert re.fullmatch(r"planned memory: \S+ MiB a step of .* on cpu; up to .* clips a batch", lines[5])
    assert lines[6].startswith("trained 2 steps on 16 clips")
    assert re.fullmatch(r"val/top1: best (\d+\.\d % \(epoch 1\)), last \1", lines[7])
    best = tmp_path / "checkpoints" / "best.ckpt"
    assert lines[8] == f"best checkpoint: {best}; curve: {tmp_path / 'curve.png'}"
    assert all(len(line) <= 80 for line in lines[:6])
    assert shlex.split(" ".join(lines[9:]).replace("\\ ", "")) == [
        *("videogn", "test", "--ckpt_path", str(best)),
        *("--data.root", str(motion), "--data.num_workers", "0", "--data.time_limit", "0.0", "--data.num_clips", "3"),
    ]


def _on_a_terminal(arguments, monkeypatch):
    """Lines that a command writes to a terminal, with those that are written over, and without control sequences."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    process = start_forked(arguments, theirs)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # Linux's end of a terminal
        while part := os.read(ours, 4096):
            written += part
    os.close(ours)
    process.join()
    assert process.exitcode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    return [line for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_bar_of_one_line_and_the_outcome_below_it(motion, trained, tmp_path, monkeypatch):
    arguments = [a for a in fit_arguments(motion, tmp_path, "--trainer.max_epochs=2") if "progress_bar" not in a]
    lines = _on_a_terminal(arguments, monkeypatch)
    last = max(number for number, line in enumerate(lines) if "━" in line)
    assert re.search(r"^Epoch 2/2 +━+ 2/2 0:00:0\d left loss \d\.\d{3} lr [\de.-]+ top1 \d+\.\d%", lines[last])
    assert all(len(line) <= 80 for line in lines if "━" in line)
    assert lines[last + 1].startswith("trained 4 steps on 32 clips")
    assert lines[last + 2].startswith("val/top1: best ")

    checkpoint = trained / "checkpoints" / "last.ckpt"
    arguments = [a for a in evaluation_arguments("test", motion, tmp_path, checkpoint) if "progress_bar" not in a]
    lines = _on_a_terminal(arguments, monkeypatch)
    last = max(number for number, line in enumerate(lines) if "━" in line)
    assert lines[last + 1].startswith("16 expected, 16 evaluated, 0 failed; top-1 ")
    assert not any("Test metric" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "terminal", "expected"),
    [
        ([], "1", "OneLineBar"),
        ([], "", "ProgressLines"),
        (["--trainer.enable_progress_bar=false"], "1", None),
        (["--trainer.callbacks=TQDMProgressBar"], "1", "TQDMProgressBar"),
    ],
)
def test_one_bar_or_the_one_asked_for(motion, tmp_path, monkeypatch, options, terminal, expected):
    monkeypatch.setenv("FORCE_COLOR", terminal)  # rich takes it for one
    arguments = [a for a in fit_arguments(motion, tmp_path) if "progress_bar" not in a]
    monkeypatch.setattr(sys, "argv", ["videogn", *arguments, *options])
    monkeypatch.setattr(VideoCLI, "_run_subcommand", lambda *_: None)
    bar = VideoCLI("fit").trainer.progress_bar_callback
    assert (None if bar is None else type(bar).__name__) == expected
