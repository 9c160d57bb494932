"""Entry point of the ablation scripts: the grid of a script's name on the data set that the user names."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from videogn.cli.main import main

#: Data sets that the ablations of videos, and those of images, have grids for.
VIDEOS = ("motion", "kinetics400")
IMAGES = ("digits", "cifar10", "imagenet")


def run_ablation(name: str, about: str | None, data_sets: Sequence[str] = VIDEOS) -> None:
    """Run `videogn study run DATA_NAME ...`.

    The process's arguments are the data set and then those of `videogn study run`.

    Args:
        name: Name of the ablation, for instance clip_length.
        about: Help text of the script.
        data_sets: Data sets that it has grids for. Default: those of videos.

    Raises:
        SystemExit: Always, with the status of `videogn study run`, or 2 if the data set is missing or unknown.
    """
    data, *arguments = sys.argv[1:] or [""]
    if data in ("-h", "--help"):
        print(about)
        raise SystemExit(0)
    if data not in data_sets:
        *others, last = data_sets
        print(f"{about}\nthe first argument must be {', '.join(others)} or {last}, got {data!r}", file=sys.stderr)
        raise SystemExit(2)
    sys.argv = ["videogn", "study", "run", f"{data}_{name}", *arguments]
    main()
