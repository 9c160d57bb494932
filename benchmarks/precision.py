"""Whether bfloat16 predicts what float32 does: top-1 agreement over videos, and the largest change of a probability.

    python benchmarks/precision.py CHECKPOINT PATH...

PATH is a video, a folder of videos, a list or an index, as for `videogn bench predict`.
"""

from __future__ import annotations

import argparse

import numpy as np

from videogn.bench.workload import find_records
from videogn.inference import Predictor


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--clips", type=int)
    options = parser.parse_args()
    wide, narrow = (
        Predictor(options.checkpoint, num_clips=options.clips, precision=precision, time_limit=0)
        for precision in ("32", "bf16")
    )
    alike, changes, margins = 0, [], []
    for sample in wide.decode(find_records(options.paths)):
        if sample.error is not None:
            continue
        found = [next(predictor.classify([sample])).probabilities for predictor in (wide, narrow)]
        first, second = np.sort(found[0])[:-3:-1]
        same = int(found[0].argmax() == found[1].argmax())
        alike += same
        changes.append(float(np.abs(found[0] - found[1]).max()))
        margins += [] if same else [float(first - second)]
    print(f"{alike} of {len(changes)} videos have the same top-1")  # noqa: T201
    print(f"largest change of a probability: {max(changes):.1e}, median {np.median(changes):.1e}")  # noqa: T201
    if margins:
        print(f"lead of float32's top-1 in the others: at most {max(margins):.1e}")  # noqa: T201


if __name__ == "__main__":
    main()
