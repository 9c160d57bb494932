"""What an index of a million videos costs each worker of a loader, as Arrow columns and as Python objects.

    python benchmarks/index_memory.py [--rows N] [--workers W] [--touch ROWS] [--json]

Every case runs in a fresh process: it reads the same Parquet index, starts a DataLoader by fork or by spawn, and lets
the workers read rows in random order. "private" is memory that a worker shares with no other process (USS); what a
worker needs without any index is measured too, and taken off. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch.utils.data import DataLoader, Dataset

from videogn.axes import VideoRecord
from videogn.data.splits import read_splits
from videogn.data.usable import without_missing

KINDS = ("none", "arrow", "objects")
METHODS = ("fork", "spawn")
_BATCH = 1000
_CLASSES = 400


class Lookups(Dataset[int]):
    """Reads records as a data set of videos does before it decodes."""

    def __init__(self, records: Sequence[VideoRecord]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> int:
        return len(self.records[number].path)


def memory(pid: int | str = "self") -> dict[str, float]:
    """Resident and private memory of a process, MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"rss_mb": kilobytes["Rss"] / 1000, "uss_mb": private / 1000}


def weigh(lengths: list[int]) -> tuple[int, dict[str, float]]:
    """Collate: which worker this is, and its memory after the batch."""
    return os.getpid(), memory()


def write_index(path: Path, rows: int) -> None:
    """Write an index of `rows` videos: 90 % for training, 1 % of them missing."""
    numbers = np.arange(rows)
    names = np.array([f"class {number:03d}" for number in range(_CLASSES)])
    labels = names[numbers % _CLASSES]
    paths = [f"/data/kinetics/{label}/{n:011d}_000010_000020.mp4" for n, label in zip(numbers, labels, strict=True)]
    columns = {
        "path": paths,
        "label": labels,
        "split": np.where(numbers % 10 == 0, "val", "train"),
        "frames": np.full(rows, 300),
        "status": np.where(numbers % 100 == 1, "missing", "ok"),
    }
    stored = {"version": 1, "root": "/data/kinetics", "classes": names.tolist()}
    table = pa.table(columns).replace_schema_metadata({b"videogn.index": json.dumps(stored)})
    pq.write_table(table, path, compression="zstd", row_group_size=1 << 17)


def measure(index: str, kind: str, method: str, workers: int, touch: int) -> dict[str, Any]:
    """Start a loader on an index and return its time and memory."""
    started, busy = time.perf_counter(), time.process_time()
    splits = read_splits(index, {}, val_fraction=0.1, class_names=None, seed=0)
    records: Sequence[VideoRecord] = without_missing(splits["train"], "train").records
    if kind != "arrow":
        records = tuple(records if kind == "objects" else records[:1])
    dataset = Lookups(records)
    first = dataset[0]
    startup, startup_cpu = time.perf_counter() - started, time.process_time() - busy
    order = np.random.default_rng(0).permutation(max(len(dataset), touch))[:touch] % len(dataset)
    started = time.perf_counter()
    loader = DataLoader(
        dataset,
        batch_sampler=order.reshape(-1, _BATCH).tolist(),
        num_workers=workers,
        multiprocessing_context=method,
        collate_fn=weigh,
    )
    found: dict[int, dict[str, float]] = {}
    first_batch = None
    for pid, weight in loader:
        first_batch = first_batch or time.perf_counter() - started
        found[pid] = weight  # the last batch's
    return {
        "kind": kind,
        "method": method,
        "startup_s": startup,
        "startup_cpu_s": startup_cpu,
        "first_batch_s": first_batch,
        "rows_per_s": touch / (time.perf_counter() - started),
        "rows": len(dataset),
        "first": first,
        "main": memory(),
        "workers": list(found.values()),
    }


def run(rows: int, workers: int, touch: int) -> dict[str, Any]:
    """Measure every case, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index.parquet")
        write_index(index, rows)
        cases = []
        for method in METHODS:
            for kind in KINDS:
                options = [str(index), kind, method, str(workers), str(touch)]
                command = [sys.executable, __file__, "--measure", *options]
                cases.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    baseline = {case["method"]: case["workers"] for case in cases if case["kind"] == "none"}
    for case in cases:
        without = float(np.mean([worker["uss_mb"] for worker in baseline[case["method"]]]))
        for worker in case["workers"]:
            worker["private_for_index_mb"] = worker["uss_mb"] - without
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    return {"rows": rows, "workers": workers, "rows_touched": touch, "machine": machine, "cases": cases}


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{result['rows']:,} rows; {result['workers']} workers read {result['rows_touched']:,} of them at random"]
    lines.append(f"{result['machine']}; memory in MB for each worker, the largest")
    heads = ("start-up s", "its CPU s", "1st batch s", "rows/s", "resident", "private", "for index")
    lines.append(" " * 14 + "".join(f"{head:>12}" for head in heads))
    for case in result["cases"]:
        worst = {name: max(worker[name] for worker in case["workers"]) for name in case["workers"][0]}
        memory_columns = "".join(f"{worst[name]:12.1f}" for name in ("rss_mb", "uss_mb", "private_for_index_mb"))
        lines.append(
            f"{case['method'] + ', ' + case['kind']:14}{case['startup_s']:12.2f}{case['startup_cpu_s']:12.2f}"
            f"{case['first_batch_s']:12.2f}{case['rows_per_s']:12,.0f}{memory_columns}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark, or with --measure one case of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--touch", type=int, default=400_000, help="rows read, over all workers")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        index, kind, method, workers, touch = options.measure
        print(json.dumps(measure(index, kind, method, int(workers), int(touch))))  # noqa: T201
        return
    touch = max(options.touch // _BATCH, 1) * _BATCH
    result = run(options.rows, options.workers, touch)
    print(json.dumps(result, indent=2) if options.json else table(result))  # noqa: T201


if __name__ == "__main__":
    main()
