"""Clip length at a fixed batch: short sparse clips against long dense ones, for BN and GN.

    python scripts/ablate_clip_length.py motion --out runs/clip_length --jobs 2
    python scripts/ablate_clip_length.py kinetics400 --out runs/clip_length_k400 --set data.root=K400

The grids are configs/study/motion_clip_length.yaml and kinetics400_clip_length.yaml; everything that
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
    sys.argv = ["videogn", "study", "run", str(GRIDS / f"{data}_clip_length.yaml"), *arguments]
    main()
