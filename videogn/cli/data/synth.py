"""videogn data synth: make the synthetic motion data set."""

from __future__ import annotations

from argparse import Namespace

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores


def parser() -> Parser:
    """Return the parser of the action's arguments."""
    parser = Parser(
        description="Write a labelled data set whose eight classes differ by motion only: train/CLASS/*.mp4, "
        "val/CLASS/*.mp4 and Kinetics-style train.csv and val.csv."
    )
    parser.add_argument("out", type=str, help="The folder, new or empty.")
    parser.add_argument("--videos-per-class", type=int, default=120, help="Training videos of each class.")
    parser.add_argument("--val-videos-per-class", type=int | None, default=None, help="A quarter of that by default.")
    parser.add_argument("--size", type=int, default=40, help="Height and width, pixels.")
    parser.add_argument("--frames", type=int, default=32, help="Frames in a video.")
    parser.add_argument("--seed", type=int, default=0, help="The same seed gives the same files.")
    parser.add_argument("--workers", type=int, default=available_cores(), help="Processes that draw and encode.")
    return parser


def run(options: Namespace) -> int:
    """Write the data set.

    Args:
        options: from `parser`.

    Returns:
        0.
    """
    from videogn.cli.progress import bar
    from videogn.data.synthetic.writing import write_motion_dataset

    with bar("Writing videos") as advance:
        out = write_motion_dataset(**vars(options), progress=advance)
    print(f"{out}: ready; train on it with `videogn fit --config configs/motion.yaml --data.root {out}`")  # noqa: T201
    return 0
