"""The norms side by side at a fixed clip and batch: the paper's Table 1.

    python scripts/ablate_norm.py motion --out runs/norm --jobs 2
    python scripts/ablate_norm.py kinetics400 --out runs/norm_k400 --set data.root=K400

The grids are configs/study/motion_norm.yaml and kinetics400_norm.yaml; everything that
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
    sys.argv = ["videogn", "study", "run", str(GRIDS / f"{data}_norm.yaml"), *arguments]
    main()
