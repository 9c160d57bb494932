"""videogn bench step: a row for every combination, ratios to a stated baseline, reasons, a table of 80 columns."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch
from few_stages import two_stages

from videogn.bench import step_cases, step_rows
from videogn.memory import StepSetting, step_memory
from videogn.models import MODELS

TINY = ["--arch", "i3d_tiny", "--crop", "16", "--batch-size", "2", "--num-classes", "3", "--arch-options", "{width: 4}"]
SWEPT = ("norm", "clip_length", "precision", "memory_format", "compile")
KEYS = {
    *("arch", "norm", "clip_length", "interval", "crop", "batch_size", "precision", "memory_mode", "memory_format"),
    *("compile", "group_norm", "device", "machine", "torch", "threads", "clock", "rounds", "error"),
    *("step_seconds", "step_quartiles", "step_ratio", "inference_seconds", "inference_quartiles", "inference_ratio"),
    *("peak_bytes", "planned_bytes", "inference_peak_bytes", "inference_planned_bytes"),
    *("multiply_adds", "least_bytes", "least_seconds", "of_roofline"),
    *("inference_multiply_adds", "inference_least_bytes", "inference_least_seconds", "inference_of_roofline"),
    *("multiply_adds_per_second", "bytes_per_second"),
}


@pytest.fixture
def small_machine(monkeypatch):
    """A product and a copy that take no time to speak of."""
    monkeypatch.setattr("videogn.bench.roofline._SIDE", {"cpu": 64})
    monkeypatch.setattr("videogn.bench.roofline._COPIED", {"cpu": 2**16})


#: (norm, precision) -> seconds of a step and of inference in three rounds.
SECONDS = {
    ("bn", "32"): [(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)],
    ("gn", "32"): [(2.0, 1.0), (2.0, 2.0), (3.0, 4.0)],
    ("bn", "bf16-mixed"): [(0.5, 0.1), (0.5, 0.1), (0.5, 0.2)],
    ("gn", "bf16-mixed"): [(1.0, 0.1), (1.0, 0.2), (3.0, 0.2)],
}


class _Stand:
    """In the place of a warm case: seconds that are known."""

    step_peak_bytes, inference_peak_bytes = 3 * 2**20, 2**20

    def __init__(self, case, device, clock):
        if case.compile:
            raise ValueError("no C++ compiler")
        self.left = iter(SECONDS[case.setting.norm, case.setting.precision])

    def turn(self):
        return next(self.left)


@pytest.fixture(scope="module")
def planners():
    """Planners by the kind of their device, so that tests that only stand for measurements plan a step once."""
    return {}


@pytest.fixture
def stand_in(monkeypatch, small_machine, planners):
    monkeypatch.setattr(step_rows, "WarmCase", _Stand)
    make = step_rows.Planner
    monkeypatch.setattr(step_rows, "Planner", lambda on, clock: planners.setdefault(on.type, make(on, clock)))


def _rows(videogn, capsys, *arguments):
    assert videogn("bench", "step", *TINY, "--threads=1", "--json", "--device=cpu", *arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_it_is_measured(videogn, capsys, monkeypatch, small_machine):
    """Really, each in its mode; a number format that CPUs do not train in is a row with its reason."""
    modes = []

    def noting(measure):
        return lambda step, clips: (modes.append(step.model.training), measure(step, clips))[1]

    for name in ("step_peak", "inference_peak"):
        monkeypatch.setattr(step_cases, name, noting(getattr(step_cases, name)))
    rows = _rows(videogn, capsys, "--norm=gn", "--clips=4x2", "--precision", "32", "16-mixed", "--rounds=2")
    assert modes == [True, False]
    assert [set(row) for row in rows] == [KEYS] * 2
    row, half = rows
    assert (row["arch"], row["norm"], row["clip_length"], row["interval"]) == ("i3d_tiny", "gn", 4, 2)
    assert (row["device"], row["clock"], row["threads"], row["compile"]) == ("cpu", "processor", 1, False)
    assert row["step_seconds"] > row["inference_seconds"] > 0
    assert row["step_quartiles"][0] <= row["step_seconds"] <= row["step_quartiles"][1]
    setting = StepSetting("i3d_tiny", "gn", 4, 16, num_classes=3, arch_options={"width": 4})
    assert row["planned_bytes"] == step_memory(setting, 2, device="cpu").peak_bytes
    assert row["peak_bytes"] == pytest.approx(row["planned_bytes"], rel=0.3)  # tiny: buffers of kernels weigh
    assert row["inference_peak_bytes"] == pytest.approx(row["inference_planned_bytes"], rel=0.3)
    assert row["inference_peak_bytes"] < row["peak_bytes"]
    assert row["of_roofline"] == pytest.approx(row["least_seconds"] / row["step_seconds"])
    assert (row["step_ratio"], row["inference_ratio"], row["rounds"], row["error"]) == (1.0, 1.0, 2, None)
    assert half["error"] == "16-mixed takes a GPU: on a CPU, fit trains in bf16-mixed instead"
    assert half["step_seconds"] is half["peak_bytes"] is half["of_roofline"] is None


def test_times_of_wrong_convolutions_are_not_published(videogn, capsys, monkeypatch, small_machine):
    """What a training run in that number format would refuse to begin with."""
    monkeypatch.setattr("videogn.bench.step_cases.slow_arithmetic", lambda dtype: None)
    monkeypatch.setattr("videogn.training.precision_check._error", lambda shape, *others: "the output is all noise")
    wrong, right = _rows(videogn, capsys, "--norm=bn", "--clips=4x2", "--precision", "bf16-mixed", "32", "--rounds=1")
    assert re.fullmatch(
        r"convolutions in bfloat16 are wrong on cpu with torch \S+: in \S+ on \S+ positions the output is all noise; "
        "take precision 32 or another version of torch",
        wrong["error"],
    )
    assert wrong["step_seconds"] is wrong["inference_seconds"] is wrong["of_roofline"] is wrong["peak_bytes"] is None
    assert right["error"] is None


def test_a_format_without_arithmetic_is_not_timed(videogn, capsys, monkeypatch, small_machine):
    """On such a processor a step takes minutes; its row has what is known without one."""
    for module in ("bench.step_cases", "bench.roofline"):
        monkeypatch.setattr(f"videogn.{module}.slow_arithmetic", {torch.bfloat16: "bfloat16 is slow"}.get)
    slow, right = _rows(videogn, capsys, "--norm=bn", "--clips=4x2", "--precision", "bf16-mixed", "32", "--rounds=1")
    assert (slow["error"], slow["step_seconds"], right["error"]) == ("bfloat16 is slow", None, None)
    assert slow["planned_bytes"] > 0
    assert slow["multiply_adds_per_second"] > 0  # float32's


def test_rows_in_order_medians_and_ratios(videogn, capsys, stand_in):
    """Ratios are medians of those of each round; in the second test each is compared with its own twin."""
    arguments = ["--norm", "bn", "gn", "--clips=4x2", "--precision", "32", "bf16-mixed", "--rounds=3"]
    rows = _rows(videogn, capsys, *arguments)
    assert [(row["norm"], row["precision"]) for row in rows] == [
        ("bn", "32"), ("bn", "bf16-mixed"), ("gn", "32"), ("gn", "bf16-mixed"),
    ]  # fmt: skip
    assert [row["step_seconds"] for row in rows] == [2.0, 0.5, 2.0, 1.0]
    assert rows[0]["step_quartiles"] == [1.5, 2.5]
    assert [row["inference_seconds"] for row in rows] == [0.5, 0.1, 2.0, 0.2]
    assert [row["step_ratio"] for row in rows] == [1.0, 0.25, 1.0, 1.0]  # gn in float32: of 2/1, 2/2 and 3/3
    assert [row["inference_ratio"] for row in rows] == pytest.approx([1.0, 0.2, 4.0, 0.4])
    twins = _rows(videogn, capsys, *arguments, "--baseline", "norm=bn")
    assert [row["step_ratio"] for row in twins] == [1.0, 1.0, 1.0, 2.0]
    one = _rows(videogn, capsys, *arguments, "--baseline", "norm=gn", "precision=32")
    assert [row["step_ratio"] for row in one] == pytest.approx([1.0, 0.25, 1.0, 0.5])


def test_no_round_but_the_first_begins_after_the_time(videogn, capsys, stand_in):
    rows = _rows(videogn, capsys, "--norm", "bn", "gn", "--clips=4x2", "--rounds=3", "--minutes=1e-9")
    assert [(row["rounds"], row["error"]) for row in rows] == [(1, None), (1, None)]


def test_every_combination(videogn, capsys, stand_in):
    rows = _rows(
        videogn, capsys, "--norm", "bn", "gn", "--clips", "2x2", "4x1", "--precision", "32", "bf16-mixed",
        "--memory-format", "contiguous", "channels_last", "--compile", "false", "true", "--rounds=1",
    )  # fmt: skip
    assert len({tuple(row[key] for key in SWEPT) for row in rows}) == len(rows) == 32
    assert {row["compile"] for row in rows} == {True, False}
    assert all((row["error"] == "no C++ compiler") == row["compile"] for row in rows)


def test_an_input_that_a_network_does_not_take_is_a_row(videogn, capsys, stand_in):
    rows = _rows(
        videogn,
        capsys,
        "--norm=bn",
        "--clips=4x2",
        "--arch",
        "i3d_tiny",
        "mvit_v2_s",
        "--arch-options={}",
        "--rounds=3",
    )
    assert rows[0]["error"] is None
    assert "ln" in rows[1]["error"] or "bn" in rows[1]["error"]


def test_the_table_fits_a_terminal(videogn, capsys, monkeypatch, stand_in):
    for name, value in (("COLUMNS", "80"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    arguments = ["--clips=4x2", "--precision", "32", "bf16-mixed", "--compile", "false", "true", "--device=cpu"]
    arguments += ["--memory-format", "contiguous", "channels_last", "--rounds=3", "--threads=1", "--baseline=norm=bn"]
    assert videogn("bench", "step", *TINY, *arguments) == 0
    shown = capsys.readouterr().out
    table = [line for line in shown.splitlines() if not line.startswith("Row ")]
    assert max(map(len, table)) <= 80
    for words in ("i3d_tiny, 4x2, crop 16, batch 2, plain; cpu", "ratio", "roof", "the row with norm=bn", "3 rounds"):
        assert words in shown, words
    (line,) = [line for line in table if line.startswith("1 ")]
    assert line.split()[-9:-1] == ["2000", "25%", "1.00", "500", "0%", "1.00", "3", str(_planned())]
    assert [line for line in shown.splitlines() if line.startswith("Row ")] == [
        f"Row {number}: no C++ compiler" for number in range(2, 17, 2)
    ]


def _planned():
    setting = StepSetting("i3d_tiny", "bn", 4, 16, num_classes=3, arch_options={"width": 4})
    return round(step_memory(setting, 2, device="cpu").peak_bytes / 2**20)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--arch", "i3d_tyni"], "arch must be one of .*did you mean 'i3d_tiny'"),
        (["--norm", "gm"], "norm must be one of .*, got 'gm'"),
        (["--clips", "32"], "--clips takes LENGTHxINTERVAL, for instance 32x2, got '32'"),
        (["--batch-size", "0"], "--batch-size must be > 0, got 0"),
        (["--baseline", "norms=bn"], "--baseline must be one of .*, got 'norms'; did you mean 'norm'"),
        (["--baseline", "norm=ln"], "--baseline norm must be one of bn, gn, got 'ln'"),
        (["--arch-options", "{memory_mode: lean}"], "of --arch-options, memory_mode is --memory-mode here"),
    ],
)
def test_wrong_options(videogn, capsys, arguments, reason):
    assert videogn("bench", "step", *arguments) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_the_script_for_gpus(monkeypatch, tmp_path, stand_in):
    """Here with one group and no videos, on the CPU; what has no time any more is named."""
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(benchmarks)
    script = runpy.run_path(str(benchmarks / "gpu.py"))
    out = tmp_path / "found.json"
    small = ["--device=cpu", "--arch=i3d_tiny", "--clips=4", "--crop=32", "--batch-size=2", "--videos=0"]
    monkeypatch.setattr("sys.argv", ["gpu.py", f"--out={out}", *small, "--rounds=2"])
    form = script["Form"]
    groups = {"first": [form("bn", "32", "contiguous"), form("gn", "32", "contiguous", True)]}
    monkeypatch.setitem(script["main"].__globals__, "GROUPS", groups)

    def partly(options, device, seconds):
        yield ["so far"]
        raise RuntimeError("no kernel")

    others = {"partly": partly, "losses": lambda *_: iter([["one"], ["one", "two"]])}
    monkeypatch.setitem(script["main"].__globals__, "OTHERS", others)
    script["main"]()
    found = json.loads(out.read_text())
    assert [(row["group"], row["norm"], row["rounds"], row["error"]) for row in found["rows"]] == [
        ("first", "bn", 2, None), ("first", "gn", 0, "no C++ compiler"),
    ]  # fmt: skip
    assert (found["left_out"], found["losses"]) == ([], ["one", "two"])
    assert "partly" not in found  # it takes videos
    monkeypatch.setattr("sys.argv", [*sys.argv, "--groups", "partly"])
    script["main"]()
    assert json.loads(out.read_text())["partly"] == {"error": "no kernel"}
    monkeypatch.setattr("sys.argv", sys.argv[:-2])
    monkeypatch.setattr("sys.argv", [*sys.argv, "--minutes=0"])
    script["main"]()
    found = json.loads(out.read_text())
    assert (found["rows"], found["left_out"]) == ([], ["first", "losses"])


@pytest.mark.slow
def test_compiled(videogn, capsys, monkeypatch, small_machine):
    """As a whole, and block by block; two stages, as every one takes the compiler seconds."""
    monkeypatch.setitem(MODELS, "two_stages", two_stages)
    if not shutil.which("g++"):
        pytest.skip("needs a C++ compiler")
    options = ["--arch=two_stages", "--norm=bn", "--clips=2x2", "--compile", "false", "true", "regional", "--rounds=2"]
    rows = _rows(videogn, capsys, *options)
    assert [row["error"] for row in rows] == [None] * 3
