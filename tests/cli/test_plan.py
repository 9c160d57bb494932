"""videogn plan: rows, keys, table, figure, errors."""

from __future__ import annotations

import itertools
import json
import sys

import pytest
from matplotlib.image import imread

from videogn.memory import StepSetting, step_memory
from videogn.report.frontier import plot_frontier

KEYS = ["model", "norm", "clip_length", "interval", "crop", "batch_size", "precision", "memory_mode"]
KEYS += ["optimizer", "activation_bytes", "peak_bytes", "parameters", "multiply_adds"]
TINY = ["--model=i3d_tiny", "--crop", "32", "--num-classes=8"]


def _json(videogn, capsys, *arguments):
    assert videogn("plan", *TINY, "--json", *arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_rows_of_every_combination(videogn, capsys):
    rows = _json(
        videogn, capsys, "--norm", "bn", "gn", "--clips", "8x2", "16x1", "--memory-mode", "plain", "lean",
        "--precision", "32", "bf16-mixed", "--batch-size", "2", "3",
    )  # fmt: skip
    assert all(list(row) == KEYS for row in rows)
    assert [(row["norm"], row["clip_length"], row["interval"], *(row[key] for key in KEYS[6:8]), row["batch_size"])
            for row in rows] == [
        (norm, length, interval, precision, mode, size)
        for norm, (length, interval), precision, mode, size in itertools.product(
            ("bn", "gn"), ((8, 2), (16, 1)), ("32", "bf16-mixed"), ("plain", "lean"), (2, 3)
        )
    ]  # fmt: skip
    for row in rows[::5]:  # has each value of an option together with different ones of the others
        setting = StepSetting(
            row["model"], row["norm"], row["clip_length"], 32, row["precision"], row["memory_mode"], 8
        )
        assert row["peak_bytes"] == step_memory(setting, row["batch_size"]).peak_bytes


def test_several_sizes_and_the_largest_batch(videogn, capsys):
    rows = _json(videogn, capsys, "--clips", "8x2", "--memory", "60MiB", "--batch-size", *map(str, (1, 2, 4, 8, 16)))
    assert [list(row) for row in rows] == [[*KEYS, "memory", "largest_batch"]] * 5
    assert [row["batch_size"] for row in rows] == [1, 2, 4, 8, 16]
    assert len({row["largest_batch"] for row in rows}) == 1
    for row in rows:
        assert (row["peak_bytes"] <= 60 * 2**20) == (row["batch_size"] <= row["largest_batch"])


def test_batch_sizes_by_default(videogn, capsys):
    rows = _json(videogn, capsys, "--clips=8x2")
    assert [row["batch_size"] for row in rows] == [1, 2, 4, 8, 16]
    assert all(list(row) == KEYS for row in rows)


def test_one_row_per_memory_with_its_largest_batch(videogn, capsys):
    """The row is that of the batch; of one clip where none fits."""
    rows = _json(videogn, capsys, "--clips", "8x2", "16x1", "--memory", "40MiB", "60MiB", "1MB")
    assert [list(row) for row in rows] == [[*KEYS, "memory", "largest_batch"]] * 6
    assert [(row["clip_length"], row["memory"]) for row in rows] == [
        (length, memory) for length in (8, 16) for memory in (40 * 2**20, 60 * 2**20, 10**6)
    ]
    for row in rows:
        fits = row["largest_batch"] > 0
        assert row["batch_size"] == max(row["largest_batch"], 1)
        assert (row["peak_bytes"] <= row["memory"]) == fits == (row["memory"] > 10**6)
        setting = StepSetting("i3d_tiny", "gn", row["clip_length"], 32, num_classes=8)
        assert step_memory(setting, row["largest_batch"] + 1).peak_bytes > row["memory"]


def test_names_from_outside(videogn, capsys, outside):
    arguments = ["--norm=own_norms.rms_group_norm", "--clips=8x2", "--batch-size=2", "--json", "--crop=32"]
    assert videogn("plan", "--model", "i3d_tiny", "own_nets.small_net", *arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == ["i3d_tiny", "own_nets.small_net"]
    assert {row["norm"] for row in rows} == {"own_norms.rms_group_norm"}
    assert videogn("plan", "--norm=own_norms.rms_group_nrom") == 2
    assert "own_norms has no 'rms_group_nrom'; did you mean 'rms_group_norm'?" in capsys.readouterr().err


def test_another_optimiser(videogn, capsys):
    sgd, adam = (
        _json(videogn, capsys, "--clips=8x2", "--batch-size=1", *more)[0] for more in ([], ["--optimizer=AdamW"])
    )
    assert (sgd["optimizer"], adam["optimizer"]) == ("SGD", "AdamW")
    assert adam["peak_bytes"] > sgd["peak_bytes"] + 3.9 * adam["parameters"]


def test_nothing_fits(videogn, capsys):
    assert _json(videogn, capsys, "--clips=8x2", "--batch-size=1", "--memory=1MB")[0]["largest_batch"] == 0


def test_the_table_says_what_it_leaves_out(videogn, capsys):
    assert videogn("plan", *TINY, "--clips=8x2", "--batch-size=2", "--memory=1GiB") == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in (
        "largest batch",
        "Left out: the device's context, workspaces of cuDNN",
        "multiply-adds per clip",
        "MiB",
    ):
        assert words in printed


@pytest.mark.parametrize("norms", [("bn", "gn"), ("bn", "own_norms.rms_group_norm")])
def test_the_table_fits_a_terminal_of_80_columns(videogn, capsys, monkeypatch, outside, norms):
    """What differs has a column, what does not is said once; nothing is cut."""
    for name, value in (("COLUMNS", "80"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    modes = ("plain", "lean", "block")
    arguments = ["--norm", *norms, "--clips", "8x2", "16x1", "--memory-mode", *modes, "--memory", "16GiB"]
    assert videogn("plan", *TINY, *arguments) == 0
    printed = capsys.readouterr().out
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == "For cuda: model i3d_tiny, crop 32, precision 32, optimizer SGD, memory 16.0 GiB"
    assert " ".join(lines[2].split()) == "norm clips memory mode largest batch activation peak"
    # A long norm goes on in the lines below.
    width = lines[2].index("clips")
    assert "".join(line[:width].strip() for line in lines[4:]).count(norms[1]) == 6
    rows = [line[width:].split()[:2] for line in lines[4:] if "GiB" in line]
    assert rows == [[*each] for each in itertools.product(("8x2", "16x1"), modes)] * 2


def test_both_batches_where_they_differ(videogn, capsys):
    assert videogn("plan", *TINY, "--clips=8x2", "--batch-size=2", "--memory=1GiB") == 0
    assert " ".join(capsys.readouterr().out.splitlines()[2].split()) == "batch largest batch activation peak"


def test_other_windows(videogn, capsys):
    arguments = ["--model=i3d_r50", "--crop=112", "--batch-size=1", "--clips=8x8"]
    assert videogn("plan", *arguments) == 2
    assert "crop must be >= 197, got 112: the network averages over pool_window" in capsys.readouterr().err
    assert videogn("plan", *arguments, "--arch-options={pool_window: [null, 4, 4]}") == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--model=i3d_tny"],
            "got 'i3d_tny'; did you mean 'i3d_tiny'?",
        ),
        (["--norm=gm"], "got 'gm'; did you mean 'gn'?"),
        (["--clips", "32"], "--clips takes LENGTHxINTERVAL, for instance 32x2, got '32'"),
        (["--clips", "0x2"], "--clips takes LENGTHxINTERVAL, for instance 32x2, got '0x2'"),
        (["--memory-mode=laen"], "got 'laen'; did you mean 'lean'?"),
        (["--precision=bf16"], "precision must be one of 32, bf16-mixed, 16-mixed, bf16-true, 64-true, got 'bf16'"),
        (["--memory=16 apples"], "got '16 apples'"),
        (["--batch-size=0"], "--batch-size must be > 0, got 0"),
        (["--plot=x.png"], "--plot draws the largest batches at equal memory and needs one --memory"),
        (["--device=gpu"], "--device must be one of cpu, cuda, got 'gpu'"),
        (["--arch-options={memory_mode: lean}"], "memory_mode is --memory-mode"),
    ],
)
def test_errors(videogn, capsys, arguments, expected):
    assert videogn("plan", *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_the_figure(videogn, tmp_path):
    path = tmp_path / "frontier.png"
    assert videogn("plan", *TINY, "--norm", "bn", "gn", "--clips", "8x2", "16x1", "--memory=60MiB", f"--plot={path}",
                   "--batch-size=1") == 0  # fmt: skip
    height, width, _ = imread(path).shape
    assert width > height > 400


def test_a_figure_of_zeros_and_of_one_point(tmp_path):
    row = {"model": "m", "crop": 224, "precision": "32", "memory_mode": "plain", "norm": "gn", "clip_length": 32}
    for number, batches in enumerate([(0, 0), (0, 3), (5,)]):
        rows = [{**row, "clip_length": 32 * 2**i, "largest_batch": batch} for i, batch in enumerate(batches)]
        assert plot_frontier(rows, 2**30, tmp_path / f"{number}.png").exists()
