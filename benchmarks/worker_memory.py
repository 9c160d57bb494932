"""Growth of a loader process's memory over many videos, decoding in itself and in a process that can be killed.

    python benchmarks/worker_memory.py FILE... [--videos 2000] [--json]

Each case runs in a fresh process, which loads training clips of the files over and over. Its memory includes that of
the process that decodes for it. A first part of the videos is not counted, since buffers grow until each video has been
loaded. The slope is that of a straight line through all readings. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from videogn.axes import VideoRecord
from videogn.bench.workload import Workload
from videogn.choices import NetworkInput
from videogn.data.plans import training_plan
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.guard import VideoGuard

_READINGS = 40
_PLAN = training_plan(NetworkInput(), short_sides=(256, 320), flip=0.5)


def main() -> None:
    """Measure both cases and print a table, or one case as JSON for the process that asked for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", choices=("in the worker", "guarded"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(growth(options.files, options.videos, guarded=options.case == "guarded")))  # noqa: T201
        return
    rows = {}
    for case in ("in the worker", "guarded"):
        command = [sys.executable, __file__, *options.files, "--videos", str(options.videos), "--case", case]
        rows[case] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if options.json:
        print(json.dumps(rows, indent=2))  # noqa: T201
        return
    table = Table("decoding", "start, MB", "end, MB", "per 1000 videos, MB", title=f"{options.videos} videos")
    for case, row in rows.items():
        table.add_row(case, *(f"{row[name] / 1e6:.1f}" for name in ("start_bytes", "end_bytes", "slope_bytes")))
    Console().print(table)


def growth(files: list[str], videos: int, *, guarded: bool) -> dict[str, int]:
    """Load videos and read the memory of this process and its children."""
    torch.set_num_threads(1)
    workload = Workload([VideoRecord(file, None) for file in files], _PLAN)
    opener = VideoGuard(60.0).open if guarded else open_video
    warm_up = min(max(len(files), videos // 20), videos // 2)
    step = max((videos - warm_up) // _READINGS, 1)
    numbers, readings = [], []
    for number in range(videos):
        sample = workload.load(number, "auto", opener)
        if sample.error is not None:
            raise SystemExit(f"{sample.path}: {sample.error}")
        if number >= warm_up and (number - warm_up) % step == 0:
            del sample
            gc.collect()
            numbers.append(number)
            readings.append(sum(map(_resident_bytes, [os.getpid(), *_children(os.getpid())])))
    slope = np.polyfit(numbers, readings, 1)[0] if len(readings) > 1 else 0
    return {"start_bytes": readings[0], "end_bytes": readings[-1], "slope_bytes": round(1000 * slope)}


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]


if __name__ == "__main__":
    main()
