"""Whether every form of a network trains alike: 50 steps, their losses beside those of the same network in float64.

    python benchmarks/same_losses.py --out losses.json            # on a GPU; --device cpu elsewhere

Each network has the same weights at first and the same clips, random ones whose mean tells their class. Rounding
grows from step to step, so that the first ten losses say whether the arithmetic is right, and all of them whether
training comes to the same.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.bench.step_cases import StepCase, make_step
from videogn.bench.turns import reason_of
from videogn.memory import StepSetting
from videogn.models.memory_format import format_of_clips
from videogn.system.files import write_json

CLASSES = 3
#: Number of the first losses, which rounding has not moved far yet.
FIRST = 10


def cases_for(device: torch.device) -> list[StepCase]:
    """What is compared of each norm; on a CPU without what takes a GPU or minutes of its compiler."""
    found = []
    for norm in ("bn", "gn"):
        for precision, layout, compiled, group_norm in (
            ("32", "contiguous", False, "pytorch"),
            ("32", "channels_last", False, "pytorch"),
            ("bf16-mixed", "contiguous", False, "pytorch"),
            ("bf16-mixed", "channels_last", False, "pytorch"),
            ("bf16-mixed", "channels_last", False, "triton"),
            ("bf16-mixed", "channels_last", True, "pytorch"),
            ("bf16-true", "channels_last", False, "pytorch"),
            ("16-mixed", "channels_last", False, "pytorch"),
        ):
            on_a_gpu = compiled or group_norm == "triton" or precision == "16-mixed"
            if (on_a_gpu and device.type == "cpu") or (norm == "bn" and group_norm == "triton"):
                continue
            found.append(StepCase(_setting(norm, precision), 4, layout, compiled, group_norm))  # type: ignore[arg-type]
    return found


def compare_losses(cases: Sequence[StepCase], device: torch.device, steps: int) -> Iterator[dict[str, Any]]:
    """Train each case and the network of its norm in float64.

    Args:
        cases: Networks and forms.
        device: Device that they run on.
        steps: Number of steps.

    Yields:
        A row a case: its form, the loss at the end in float64 and here (means of the last ten), and the largest
        differences of the first ten losses and of all; or the reason why it does not run.
    """
    exact: dict[str, Tensor] = {}
    for case in cases:
        setting = case.setting
        row: dict[str, Any] = {"norm": setting.norm, "precision": setting.precision}
        row |= {"memory_format": case.memory_format, "compile": case.compile, "group_norm": case.group_norm}
        try:
            if setting.norm not in exact:
                reference = StepCase(_setting(setting.norm, "64-true"), case.batch_size)
                exact[setting.norm] = _losses(reference, device, steps)
            wanted, found = exact[setting.norm], _losses(case, device, steps)
        except Exception as error:  # whatever a compiler or a kernel raises
            yield {**row, "error": reason_of(error)}
            continue
        if not found.isfinite().all():
            yield {**row, "error": f"the loss of step {int(found.isfinite().int().argmin()) + 1} is not finite"}
            continue
        differences = (found - wanted).abs()
        yield {
            **row,
            "last_exact": float(wanted[-FIRST:].mean()),
            "last": float(found[-FIRST:].mean()),
            "first_differ": float(differences[:FIRST].max()),
            "differ": float(differences.max()),
            "error": None,
        }


def _setting(norm: str, precision: str) -> StepSetting:
    return StepSetting("i3d_tiny", norm, 8, 32, precision, num_classes=CLASSES, optimizer_options={"lr": 0.002})


def _losses(case: StepCase, device: torch.device, steps: int) -> Tensor:
    """Losses (steps,) of a case, float64 on the CPU."""
    torch.manual_seed(3)  # of the weights
    step, layout = make_step(case, device)
    generator = torch.Generator().manual_seed(5)
    losses = []
    for _ in range(steps):
        labels = torch.randint(CLASSES, (case.batch_size,), generator=generator)
        clips = torch.randn(case.batch_size, *case.setting.clips(1).shape[1:], generator=generator)
        clips += labels[:, None, None, None, None] - 1
        clips = clips.to(device, case.setting.dtype).contiguous(memory_format=format_of_clips(layout))
        logits = step.logits(clips).mean((2, 3, 4))
        loss = F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), labels.to(device))
        step.backward(loss)
        step.update()
        losses.append(loss.detach())
    return torch.stack(losses).double().cpu()


def main() -> None:
    """Compare, show and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    device = torch.device(options.device)
    rows = []
    for row in compare_losses(cases_for(device), device, options.steps):
        print(json.dumps(row), flush=True)  # noqa: T201
        rows.append(row)
        write_json(
            options.out, {"torch": torch.__version__, "device": device.type, "steps": options.steps, "rows": rows}
        )


if __name__ == "__main__":
    main()
