"""Anything a user can put right: exit status 2, one line, no traceback, the nearest valid name."""

from __future__ import annotations

import pytest
from training import SMALL, TINY


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model.nrm=gn"], "no option --model.nrm; did you mean '--model.norm'?"),
        (["--model.norm=gm"], "got 'gm'; did you mean 'gn'?"),
        (["--model.norm_options={grops: 4}"], "got option 'grops'; did you mean 'groups'?"),
        (["--model.norm_options={groups: 3}"], "got 8 channels and groups=3"),
        (["--model.arch=i3d_tny"], "got 'i3d_tny'; did you mean 'i3d_tiny'?"),
        (["--model.schedule=cosin"], "got 'cosin'; did you mean 'cosine'?"),
        (["--data.protocol=slowfst"], "got 'slowfst'; did you mean 'slowfast'?"),
        (["--data.decoder=decrod"], "got 'decrod'; did you mean 'decord'?"),
        (["--data.batch_size=0"], "batch_size must be > 0, got 0"),
        (["--data.clip_length=8"], 'must be given via "model.clip_length"'),
        (["--model.fps=30"], 'Linked "model.fps" must be given via "data.fps"'),
        (["--model.antialias=false"], 'Linked "model.antialias" must be given via "data.antialias"'),
        (["--data.antialias=maybe"], "--data.antialias must be true or false, got 'maybe'"),
        (["--data.mean=[0.5,0.5,0.5]"], 'must be given via "model.mean"'),
        (["--data.fps=fast"], "--data.fps must be a number, got 'fast'"),
        (["--data.fps=-1"], "--data.fps must be >= 0 (0: every frame of the video) and <= 1000, got -1"),
        (["--data.eval_batch_size=1.5"], "--data.eval_batch_size must be a whole number, got '1.5'"),
        (
            ["--data.random_resized_crop=0.3"],
            "--data.random_resized_crop must be 2 numbers in brackets, with commas between",
        ),
        (["--data.root=no such folder"], "no such file or folder: no such folder"),
        (
            ["--trainer.callbacks=EarlyStoping"],
            "trainer.callbacks cannot be 'EarlyStoping'; did you mean 'EarlyStopping'?",
        ),
        (["--trainer.max_time={a: 1}"], "max_time must be a time such as 00:08:00:00 (days, hours, minutes, seconds)"),
        (["--trainer.val_check_interval={a: 1}"], "val_check_interval must be a time such as 00:08:00:00"),
        (
            ["--data.train_short_sides=[1]"],
            "--data.train_short_sides must be 2 numbers in brackets, with commas between",
        ),
        (["--data.class_names=[]"], "--data.class_names must name the classes, got []"),
        (["--data.root="], "--data.root must not be empty, got ''; is a variable of the shell not set?"),
        (["--trust="], "--trust must be names of packages, such as mine or mine.norms, got ''"),
        (["--model=x"], "--model cannot be 'x': its options are --model.OPTION, each with a value of its own"),
        (["--trainer.limit_train_batches=x"], "--trainer.limit_train_batches must be a number, got 'x'"),
        (["--ckpt_path=no.ckpt"], "no such file or folder: no.ckpt"),
        (["--model.init_from=no.ckpt"], "no such file or folder: no.ckpt"),
    ],
)
def test_fit(videogn, capsys, motion, tmp_path, arguments, expected):
    folders = [f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}"]
    assert videogn("fit", *SMALL, *TINY, *folders, *arguments) == 2
    _one_line(capsys, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model:\n  nrom: gn\n", "no option 'model.nrom'; did you mean 'model.norm'?"),
        ("modle:\n  norm: gn\n", "no option 'modle.norm'; did you mean 'model.norm'?"),
        ("model: [\n", "config"),
    ],
)
def test_a_wrong_configuration(videogn, capsys, tmp_path, text, expected):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert videogn("fit", f"--config={config}") == 2
    _one_line(capsys, expected)


def test_a_missing_configuration_names_the_nearest_file(videogn, capsys, tmp_path):
    (tmp_path / "motion.yaml").write_text("")
    assert videogn("fit", f"--config={tmp_path / 'moton.yaml'}") == 2
    _one_line(capsys, f"did you mean {tmp_path / 'motion.yaml'}?")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["predict"], "required: --checkpoint"),
        (["predict", ".", "--checkpont=x"], "no option --checkpont; did you mean '--checkpoint'?"),
        (["predict", "no.mp4", "--checkpoint=.."], "no such file or folder: no.mp4"),
        (["predict", "no.mp4", "--checkpoint=no.ckpt"], "no such file or folder: no.ckpt"),
        (["data", "snth", "x"], "did you mean 'synth'?"),
        (["data", "synth", "x", "--videos-per-class=0"], "videos_per_class must be >= 1, got 0"),
        (["data", "synth", "x", "--size=33"], "size must be even"),
        (["data", "synth", "x", "--workers=0"], "workers must be >= 1, got 0"),
        (["demo", "--quik"], "no option --quik; did you mean '--quick'?"),
        (["data", "index", ".", "x.parquet", "--out=y.parquet"], "unexpected argument 'x.parquet'; see --help"),
        (["data", "index", ".", "", "--out=y.parquet"], "unexpected argument ''; see --help"),
    ],
)
def test_other_commands(videogn, capsys, monkeypatch, tmp_path, arguments, expected):
    monkeypatch.chdir(tmp_path)
    assert videogn(*arguments) == 2
    _one_line(capsys, expected)
    assert not list(tmp_path.iterdir())


def _one_line(capsys, expected: str) -> None:
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed set")]
    assert len(lines) == 1
    assert lines[0].startswith("videogn: error: ")
    assert expected in lines[0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            FileNotFoundError(2, "No such file"),
            "No such file: was the working directory removed? Change to another one",
        ),
        (ImportError("libtorch.so: failed to map segment from shared object"), "out of memory: libtorch.so: failed to"),
    ],
)
def test_errors_that_do_not_say_what_is_wrong(videogn, monkeypatch, capsys, error, line):
    """As of os.getcwd in a folder that was removed, and of a library under `ulimit -v`."""

    def run(options):
        raise error

    monkeypatch.setattr("videogn.cli.data.show.run", run)
    assert videogn("data", "show", "videos") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"videogn: error: {line}")
