"""The figure of `docs/results/gn-from-scratch.md`, from what gn_from_scratch.py has written.

python benchmarks/gn_from_scratch_figure.py gn-from-scratch FIGURE.png [--seed 0]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

#: Trial -> label and colour.
SHOWN = {
    "SGD 0.05": ("GN, SGD 0.05", "tab:red"),
    "gradient clipped to norm 1": ("GN, SGD 0.05, gradient clipped", "tab:green"),
    "AdamW 0.003, clipped, warm-up": ("GN, the recipe", "tab:blue"),
    "BN: SGD 0.05": ("BN, SGD 0.05", "0.4"),
}
#: Steps that a loss is averaged over.
_SMOOTHED = 6


def draw(results: dict[str, dict[str, Any]], out: Path) -> None:
    """Draw loss, what is shared and what differs, and dead channels, over the steps."""
    figure, (loss, features, dead) = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for name, result in results.items():
        label, colour = SHOWN[name]
        losses = np.array(result["losses"])
        smooth = losses[: len(losses) // _SMOOTHED * _SMOOTHED].reshape(-1, _SMOOTHED).mean(1)
        loss.plot((np.arange(len(smooth)) + 0.5) * _SMOOTHED, np.maximum(smooth, 1e-3), color=colour, label=label)
        steps = [state["step"] for state in result["states"]]
        ratio = [state["shared"] / state["differing"] for state in result["states"]]
        features.plot(steps, ratio, color=colour)
        dead.plot(steps, [100 * state["dead"] for state in result["states"]], color=colour)
    loss.axhline(next(iter(results.values()))["chance"], color="black", linestyle=":", linewidth=1)
    loss.set(title="training loss (dotted: chance)", xlabel="step", ylim=(0, None))
    features.set(title="features: shared / differing", xlabel="step", yscale="log")
    dead.set(title="channels that never pass their ReLU, %", xlabel="step", ylim=(-1, None))
    loss.legend(fontsize=8, frameon=False)
    for axes in (loss, features, dead):
        axes.spines[["top", "right"]].set_visible(False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Read one seed of the trials that are shown, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="Folder that gn_from_scratch.py has written.")
    parser.add_argument("figure", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = {name: options.results / f"{name}, seed {options.seed}.json" for name in SHOWN}
    draw({name: json.loads(file.read_text()) for name, file in files.items()}, options.figure)


if __name__ == "__main__":
    main()
