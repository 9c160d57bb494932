"""Time per video with the decoder in the loader's own process, and in a process that can be killed.

    python benchmarks/guard_cost.py FILE... [--repeats 15]

A training clip and a ten-clip test of every file, both ways in turn within a repeat, one thread, medians, files in the
system's cache. Compare ratios, not milliseconds.
"""

from __future__ import annotations

import argparse
from contextlib import closing

import torch
from rich.console import Console
from rich.table import Table

from videogn.axes import VideoRecord
from videogn.bench.stages import measure_stages
from videogn.bench.workload import Workload
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.plans import evaluation_plan, training_plan
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.guard import VideoGuard

_PLANS = {
    "training clip": training_plan(NetworkInput(), short_sides=(256, 320), flip=0.5),
    "ten-clip test": evaluation_plan(EvaluationViews()),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = [VideoRecord(file, None) for file in options.files]
    table = Table("views", "own process, ms", "guarded, ms", "ratio")
    with closing(VideoGuard(60.0)) as guard:
        ways = {"own": ("auto", open_video), "guarded": ("auto", guard.open)}
        for name, plan in _PLANS.items():
            times = measure_stages(Workload(records, plan), ways, repeats=options.repeats)
            if failed := times["own"].failed:
                raise SystemExit("\n".join(f"{path}: {reason}" for path, reason in failed.items()))
            own, guarded = times["own"].total_s, times["guarded"].total_s
            table.add_row(name, f"{1000 * own:.1f}", f"{1000 * guarded:.1f}", f"{guarded / own:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
