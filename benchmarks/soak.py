"""Training, validation, prediction and indexing for an hour, while files and processes fail: is anything left behind?

    python benchmarks/soak.py [--minutes 60] [--out soak] [--seed 0]

One process trains, validates, predicts and indexes again and again through the same code as the commands, over
generated videos; and in every third cycle one command in a process of its own is ended by a signal and run again.
Meanwhile files are damaged and vanish, and decoders are killed, hang and are slow. After every cycle the memory, open
files, processes, threads and shared memory of all processes are read, and their largest values during it. Writes
OUT/soak.json, soak.md and output.txt; the exit status is 1 if a measure grows, or a command does something unexpected.
Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from soak_faults import Faults
from soak_measures import TOKEN, Peaks, Reading, judge, own_processes, read_processes

#: Growth between the first and the last third that counts as none: a share for memory, else a number.
_MEMORY_SLACK = 0.03
_SLACK = {"open_files": 0.5, "processes": 0.5, "threads": 0.5, "shared_mb": 1.0}
#: At its largest a measure depends on what ran at the same moment.
_PEAK_SLACK = {"open_files": 12.0, "processes": 2.5, "threads": 10.0, "shared_mb": 8.0}
_TIME_LIMIT = 3
_NETWORK = [
    "--model.arch=i3d_tiny", "--model.arch_options={width: 8}", "--model.clip_length=4", "--model.interval=2",
    "--model.crop_size=32", "--model.short_side=32",
]  # fmt: skip
_TRAINER = [
    "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false",
    "--trainer.num_sanity_val_steps=0", "--trainer.log_every_n_steps=1",
]  # fmt: skip


class Soak:
    """The work of a soak in one folder.

    Args:
        folder: Folder of the data set and of all that is written.
        seed: Seed of data set and faults.
        log: File for what the commands print.

    Attributes:
        counts: How often each thing was done.
        surprises: What should not have happened.
    """

    def __init__(self, folder: Path, seed: int, log: Path) -> None:
        from videogn.choices import MotionSettings
        from videogn.data.synthetic.writing import write_motion_dataset
        from videogn.inference import Predictor

        self._folder, self._seed = folder, seed
        self._log = log.open("a", encoding="utf-8", errors="replace")
        self.counts: Counter[str] = Counter()
        self.surprises: list[str] = []
        settings = MotionSettings(videos_per_class=3, val_videos_per_class=1, size=36, frames=32, seed=seed)
        self._data = write_motion_dataset(folder / "data", settings)
        self._videos = sorted(self._data.rglob("*.mp4"))
        self._expect("fit", self._inside(*self._fit(folder / "first", workers=0)), {0})
        self._checkpoint = next((folder / "first").rglob("last.ckpt"))
        self._predictor = Predictor(self._checkpoint, device="cpu", num_clips=2, time_limit=_TIME_LIMIT)
        self._right = {p.path: p.probabilities for p in self._predictor.predict(map(str, self._videos))}

    def cycle(self, number: int) -> dict[str, Any]:
        """Do everything once, under faults, and read the processes."""
        started = time.perf_counter()
        seed = self._seed * 100_000 + number
        with Faults(self._videos, self._folder / "whole", seed) as faults:
            with Peaks() as peaks:
                self._work_inside(number, faults)
            if number % 3 == 2:
                self._work_outside(number // 3, random.Random(seed))
        self.counts.update(faults.happened)
        shutil.rmtree(self._folder / "run", ignore_errors=True)
        gc.collect()
        time.sleep(1)  # what was told to end may take a moment
        rest = read_processes()
        return {"seconds": time.perf_counter() - started, "rest": rest._asdict(), "peak": peaks.largest._asdict()}

    def _work_inside(self, number: int, faults: Faults) -> None:
        run = self._folder / "run"
        workers = 2 * (number % 2)
        self._expect("fit", self._inside(*self._fit(run / "fit", workers=workers)), {0})
        validate = ["validate", *self._loading(run / "validate", workers), f"--ckpt_path={self._checkpoint}"]
        self._expect("validate", self._inside(*validate), {0})
        for prediction in self._predictor.predict(map(str, self._videos), workers=workers):
            self._look_at(prediction, faults)
        index = ["data", "index", str(self._data / "val"), "--out", str(run / f"{number}.parquet")]
        self._expect("data index", self._inside(*index, "--workers=2", f"--timeout={_TIME_LIMIT}"), {0})

    def _look_at(self, prediction: Any, faults: Faults) -> None:
        """A video that was not touched fails only with its decoder; otherwise it has its scores."""
        self.counts["videos predicted" if prediction.error is None else "videos that failed"] += 1
        touched = prediction.path in map(str, faults.hit)
        if prediction.error is None and not touched:
            close = np.allclose(prediction.probabilities, self._right[prediction.path], atol=1e-5)
            self._note(close, f"other scores of {prediction.path}")
        elif not touched:
            decoder = "decoder" in prediction.error
            self._note(decoder, f"{prediction.path}: {prediction.error}")

    def _work_outside(self, number: int, draw: random.Random) -> None:
        """One command in a process of its own, ended by a signal and run again."""
        out = self._folder / "run" / "outside"
        scores, index = out / "scores.jsonl", out / "index.parquet"
        out.mkdir(parents=True)
        command, again, signals = (
            (self._fit(out, workers=1, epochs=40), [], {signal.SIGTERM: 143}),
            (["predict", str(self._data), "--checkpoint", str(self._checkpoint), "--output", str(scores),
              "--device=cpu", f"--time-limit={_TIME_LIMIT}"], [], {signal.SIGTERM: 143, signal.SIGKILL: -9}),
            (["data", "index", str(self._data / "train"), "--out", str(index), "--workers=1",
              f"--timeout={_TIME_LIMIT}"], [], {signal.SIGTERM: 143, signal.SIGKILL: -9}),
        )[number % 3]  # fmt: skip
        if command[0] == "fit":
            again = ["--ckpt_path=last", "--trainer.max_time=00:00:00:03"]  # it may have any number of epochs
        ending = draw.choice(list(signals))
        process = subprocess.Popen([sys.executable, "-m", "videogn", *command], stdout=self._log, stderr=self._log)
        ended = self._end(process, ending, out, draw)
        fine = {0, 1} if command[0] == "predict" else {0}  # 1: some videos failed, as they should
        name = " ".join(command[: 2 if command[0] == "data" else 1])
        self._expect(f"{name}, {ending.name}", process.returncode, {signals[ending]} if ended else fine)
        if not ended:
            self.counts[f"{name} that was done before the signal"] += 1
        done = subprocess.run(
            [sys.executable, "-m", "videogn", *command, *again], stdout=self._log, stderr=self._log, check=False
        )
        self._expect(f"{name} again", done.returncode, fine)

    def _end(self, process: subprocess.Popen[bytes], ending: signal.Signals, out: Path, draw: random.Random) -> bool:
        """Send a signal once the command has begun its work, a moment later; False if it was done by itself."""
        while process.poll() is None and not any(out.iterdir()):
            time.sleep(0.05)
        try:
            process.wait(draw.uniform(0.2, 3))
        except subprocess.TimeoutExpired:
            process.send_signal(ending)
            process.wait()
            return process.returncode not in (0, 1)
        return False

    def _fit(self, out: Path, *, workers: int, epochs: int = 1) -> list[str]:
        return ["fit", *self._loading(out, workers), *_NETWORK, "--data.batch_size=4",
                "--data.train_short_sides=[32,36]",
                f"--trainer.max_epochs={epochs}", "--trainer.limit_train_batches=3"]  # fmt: skip

    def _loading(self, out: Path, workers: int) -> list[str]:
        log = "--trainer.logger.init_args."
        return [
            *_TRAINER, f"--data.root={self._data}", f"--data.num_workers={workers}", f"--data.time_limit={_TIME_LIMIT}",
            "--data.max_failures=1", f"--trainer.default_root_dir={out}",
            "--trainer.logger.class_path=lightning.pytorch.loggers.CSVLogger",
            f"{log}save_dir={out}", f"{log}name=", f"{log}version=",
        ]  # fmt: skip

    def _inside(self, *arguments: str) -> int:
        """Run a command in this process; returns its exit status."""
        from videogn.cli import main

        before = sys.argv, sys.stdout, sys.stderr
        sys.argv, sys.stdout, sys.stderr = ["videogn", *arguments], self._log, self._log
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            sys.argv, sys.stdout, sys.stderr = before
        return 0

    def _expect(self, what: str, status: int, right: Iterable[int]) -> None:
        self.counts[what] += 1
        self._note(status in right, f"{what}: status {status}")

    def _note(self, right: bool, surprise: str) -> None:
        if not right:
            self.surprises.append(surprise)
            print(f"  unexpected: {surprise}", flush=True)  # noqa: T201


def verdicts(cycles: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Judge each measure, at rest and at its largest."""
    found = {}
    for when in ("rest", "peak"):
        for measure in Reading._fields:
            readings = [cycle[when][measure] for cycle in cycles]
            share = float(np.median(readings)) * _MEMORY_SLACK * (1 if when == "rest" else 2)
            slack = share if measure == "memory_mb" else (_SLACK if when == "rest" else _PEAK_SLACK)[measure]
            found[f"{measure}, {when}"] = judge(readings, slack=slack)._asdict() | {"slack": slack}
    return found


def summary(result: dict[str, Any]) -> str:
    """Write the result for people, in Markdown."""
    names = {None: "too few cycles", True: "flat", False: "**grows**"}
    lines = [f"{len(result['cycles'])} cycles in {result['minutes']:.0f} min; {result['machine']}.", ""]
    lines += [
        "| measure | first third | last third | slope per cycle (95 %) | verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in result["verdicts"].items():
        slope, low, high = row["slope"]
        numbers = f"{row['first']:.1f} | {row['last']:.1f} | "
        numbers += "" if row["flat"] is None else f"{slope:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"| {name.replace('_mb', ', MB').replace('_', ' ')} | {numbers} | {names[row['flat']]} |")
    lines += ["", "| done, or gone wrong | times |", "| --- | --- |"]
    lines += [f"| {name} | {count:,} |" for name, count in sorted(result["counts"].items())]
    lines += ["", f"Processes left at the end: {result['left']}. Unexpected: {len(result['surprises'])}."]
    return "\n".join([*lines, *(f"- {line}" for line in result["surprises"])]) + "\n"


def main() -> int:
    """Soak, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("soak"), help="folder of soak.json and soak.md")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if TOKEN not in os.environ:  # started anew, since a process shows the environment that it began with
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, TOKEN: f"{os.getpid()}-{time.time()}"})
    options.out.mkdir(parents=True, exist_ok=True)
    started, cycles = time.monotonic(), []
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), options.seed, options.out / "output.txt")
        while (minutes := (time.monotonic() - started) / 60) < options.minutes or not cycles:
            cycles.append(soak.cycle(len(cycles)))
            rest = " ".join(f"{name} {value:.0f}" for name, value in cycles[-1]["rest"].items())
            took = f"{minutes:5.1f} min, cycle {len(cycles)}, {cycles[-1]['seconds']:.0f} s"
            print(f"{took}: {rest}", flush=True)  # noqa: T201
            result = {"machine": machine, "minutes": (time.monotonic() - started) / 60, "verdicts": verdicts(cycles)}
            result |= {"left": len(own_processes()) - 1, "counts": soak.counts, "surprises": soak.surprises}
            result["cycles"] = cycles
            # After every cycle: a soak may be ended early.
            (options.out / "soak.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
            (options.out / "soak.md").write_text(summary(result), encoding="utf-8")
    grows = [name for name, row in result["verdicts"].items() if row["flat"] is False]
    print(summary(result))  # noqa: T201
    return 1 if grows or soak.surprises else 0


if __name__ == "__main__":
    sys.exit(main())
