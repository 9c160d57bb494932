"""Memory and time of a training step, side by side for every memory mode.

    python benchmarks/memory_modes.py --model i3d_r50 --clips 32 --crop 224 --batch-size 2 --norm gn

Planned memory is what `videogn plan` says; measured memory is what PyTorch's allocator handed out. Time is that of the
processor on a CPU (the shortest step of several), that of the clock on a GPU.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import torch

from videogn.memory import PRECISIONS, StepSetting, measure_step, step_memory
from videogn.models.recompute import MEMORY_MODES
from videogn.system.sizes import format_size


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    devices = options.device or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows = [row for device in devices for row in _measure(options, device)]
    if options.json:
        print(json.dumps(rows, indent=2))  # noqa: T201
    else:
        _print_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="i3d_r50")
    parser.add_argument("--norm", default="gn")
    parser.add_argument("--clips", type=int, default=32, help="clip length, frames")
    parser.add_argument("--crop", type=int, default=224, help="pixels")
    parser.add_argument("--batch-size", type=int, default=2, help="clips")
    parser.add_argument("--precision", default="32", choices=PRECISIONS)
    parser.add_argument("--device", nargs="+", choices=("cpu", "cuda"), help="both, where there is a GPU, by default")
    parser.add_argument("--repeats", type=int, default=3, help="steps to take the time of")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--json", action="store_true")
    return parser


def _measure(options: argparse.Namespace, device: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for mode in MEMORY_MODES:
        window = {"pool_window": (None, None, None)}  # for any size of crop
        setting = StepSetting(
            options.model, options.norm, options.clips, options.crop, options.precision, mode, arch_options=window
        )
        planned = step_memory(setting, options.batch_size, device=device)
        measured = measure_step(setting, options.batch_size, device=device, repeats=options.repeats)
        row = {
            "device": device,
            "memory_mode": mode,
            "activation_bytes": planned.activation_bytes,
            "planned_peak_bytes": planned.peak_bytes,
            "measured_peak_bytes": measured.peak_bytes,
            "seconds": measured.seconds,
        }
        plain = rows[0] if rows else row
        row["activations_over_plain"] = row["activation_bytes"] / plain["activation_bytes"]
        row["time_over_plain"] = row["seconds"] / plain["seconds"]
        rows.append(row)
    return rows


def _print_table(rows: list[dict[str, Any]]) -> None:
    print("| device | mode | activations | of plain | peak, planned | peak, measured | s a step | of plain |")  # noqa: T201
    print("|---|---|---|---|---|---|---|---|")  # noqa: T201
    for row in rows:
        sizes = [format_size(row[key]) for key in ("activation_bytes", "planned_peak_bytes", "measured_peak_bytes")]
        print(  # noqa: T201
            f"| {row['device']} | {row['memory_mode']} | {sizes[0]} | {row['activations_over_plain']:.2f} "
            f"| {sizes[1]} | {sizes[2]} | {row['seconds']:.2f} | {row['time_over_plain']:.2f} |"
        )


if __name__ == "__main__":
    main()
