"""Batch size at a fixed clip: how many clips the norm sees, with steps of as many clips throughout.

    python scripts/ablate_batch_size.py motion --out runs/batch_size --jobs 2
    python scripts/ablate_batch_size.py kinetics400 --out runs/batch_size_k400 --set data.root=K400

The grids are configs/study/motion_batch_size.yaml and kinetics400_batch_size.yaml; everything that
`videogn study run` takes can be added.
"""

import sys
from pathlib import Path

from videogn.cli import main

GRIDS = Path(__file__).resolve().parents[1] / "configs" / "study"

if __name__ == "__main__":
    data, *arguments = sys.argv[1:] or [""]
    if data not in ("motion", "kinetics400"):
        sys.exit(f"{__doc__}\nthe first argument must be motion or kinetics400, got {data!r}")
    sys.argv = ["videogn", "study", "run", str(GRIDS / f"{data}_batch_size.yaml"), *arguments]
    main()
