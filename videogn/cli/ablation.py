"""What the scripts of the paper's ablations do: run the grid of their name on the data set that is asked for."""

from __future__ import annotations

import sys
from pathlib import Path

from videogn.cli.main import main

_DATA = ("motion", "kinetics400")


def run_ablation(name: str, grids: Path, about: str | None) -> None:
    """Run `videogn study run GRIDS/DATA_NAME.yaml ...` with the process's arguments: DATA, then the command's own.

    Args:
        name: of the ablation, for instance clip_length.
        grids: folder of the grids.
        about: what the script says of itself, for its help.

    Raises:
        SystemExit: always, with the status of `videogn study run`; 2 where the data set is missing or unknown.
    """
    data, *arguments = sys.argv[1:] or [""]
    if data in ("-h", "--help"):
        print(about)  # noqa: T201
        raise SystemExit(0)
    if data not in _DATA:
        print(f"{about}\nthe first argument must be {' or '.join(_DATA)}, got {data!r}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    sys.argv = ["videogn", "study", "run", str(grids / f"{data}_{name}.yaml"), *arguments]
    main()
