"""GN with other numbers of groups, and of channels a group: the paper's Table 3.

    python scripts/ablate_groups.py motion --out runs/groups --jobs 2
    python scripts/ablate_groups.py kinetics400 --out runs/groups_k400 --set data.root=K400

The grids are configs/study/motion_groups.yaml and kinetics400_groups.yaml; everything that
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
    sys.argv = ["videogn", "study", "run", str(GRIDS / f"{data}_groups.yaml"), *arguments]
    main()
