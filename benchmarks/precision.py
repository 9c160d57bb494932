"""What bfloat16 gains and changes in prediction on this machine.

    python benchmarks/precision.py                        # processor time of forward passes of untrained networks
    python benchmarks/precision.py CHECKPOINT PATH...     # top-1 agreement with float32 over videos, and both times

PATH is a video, a folder of videos, a list or an index, as for `videogn bench predict`. One thread; both precisions in
turn. Compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from videogn.bench.workload import find_records
from videogn.inference import Predictor
from videogn.inference.precision import Precision
from videogn.models import make_model

#: Network, norm, size of a clip (T, H, W).
NETWORKS = (
    ("i3d_r50", "gn", (32, 256, 340)),
    ("i3d_r50_8x8", "bn", (8, 256, 256)),
    ("x3d_s", "bn", (13, 182, 182)),
    ("r2plus1d_18", "bn", (16, 112, 112)),
    ("s3d", "bn", (64, 224, 224)),
    ("mvit_v2_s", "ln", (16, 224, 224)),
    ("i3d_tiny", "gn", (16, 112, 112)),
)
PRECISIONS = (Precision("32"), Precision("bf16"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--clips", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.checkpoint is None:
        compare_networks()
    else:
        compare_predictions(options.checkpoint, options.paths, options.clips)


def compare_networks() -> None:
    """Forward passes of one random clip, the shorter of two."""
    table = Table("network", "norm", "clip", "32, s", "bf16, s", "ratio")
    for arch, norm, size in NETWORKS:
        net = make_model(arch, 400, norm).eval()
        clip = torch.rand(1, 3, *size)
        seconds = [min(_seconds(_forward(net, clip, precision)) for _ in range(3)) for precision in PRECISIONS]
        ratio = f"{seconds[0] / seconds[1]:.1f}"
        table.add_row(arch, norm, "x".join(map(str, size)), *(f"{each:.3f}" for each in seconds), ratio)
    Console().print(table)


def _forward(net: torch.nn.Module, clip: torch.Tensor, precision: Precision) -> Callable[[], torch.Tensor]:
    own = clip.to(memory_format=precision.memory_format)
    return torch.inference_mode()(lambda: precision.logits(net, own))


def _seconds(work: Callable[[], object]) -> float:
    """Processor time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def compare_predictions(checkpoint: str, paths: Sequence[str], clips: int | None) -> None:
    """Classify every video in both precisions, decoded once."""
    wide, narrow = (
        Predictor(checkpoint, num_clips=clips, precision=precision.name, time_limit=0) for precision in PRECISIONS
    )
    found: list[np.ndarray] = []  # (2, K) each
    seconds = np.zeros(2)
    for sample in wide.decode(find_records(paths)):
        if sample.error is not None:
            continue
        both = []
        for number, predictor in enumerate((wide, narrow)):
            started = time.process_time()
            both.append(next(predictor.classify([sample])).probabilities)
            seconds[number] += time.process_time() - started
        found.append(np.stack(both))  # type: ignore[arg-type]
    scores = np.stack(found)  # (videos, 2, K)
    tops = scores.argmax(axis=2)
    alike = tops[:, 0] == tops[:, 1]
    changes = np.abs(scores[:, 0] - scores[:, 1]).max(axis=1)
    second, first = np.sort(scores[:, 0], axis=1)[:, -2:].T
    console = Console(highlight=False)
    console.print(f"{alike.sum()} of {len(alike)} videos have the same top-1")
    console.print(f"change of a video's probabilities: median {np.median(changes):.1e}, at most {changes.max():.1e}")
    if not alike.all():
        console.print(f"lead of float32's top-1 in the others: at most {(first - second)[~alike].max():.1e}")
    console.print(f"processor time of the network, float32 / bfloat16: {seconds[0] / seconds[1]:.2f}")


if __name__ == "__main__":
    main()
