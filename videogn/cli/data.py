"""videogn data: make the synthetic data set, or look at one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from videogn.cli.parsing import Parser
from videogn.cores import available_cores


def run(command: str, argv: Sequence[str]) -> int:
    """Run `videogn data synth OUT` or `videogn data show SOURCE`.

    Args:
        command: "data".
        argv: its arguments.

    Returns:
        0.
    """
    parser = Parser(prog="videogn data", description="Make the synthetic motion data set, or look at one of your own.")
    subcommands = parser.add_subcommands(required=True, metavar="ACTION")
    subcommands.add_subcommand("synth", _synth_parser(), help="Write the motion data set as real H.264 files.")
    subcommands.add_subcommand("show", _show_parser(), help="Count the videos of a folder, a list or a Kinetics CSV.")
    options = parser.parse_args(list(argv))
    if options.subcommand == "synth":
        _synth(options.synth)
    else:
        _show(options.show)
    return 0


def _synth_parser() -> Parser:
    parser = Parser(
        description="Write a labelled data set whose eight classes differ by motion only: train/CLASS/*.mp4, "
        "val/CLASS/*.mp4 and Kinetics-style train.csv and val.csv."
    )
    parser.add_argument("out", type=str, help="The folder, new or empty.")
    parser.add_argument("--videos-per-class", type=int, default=60, help="Training videos of each class.")
    parser.add_argument("--val-videos-per-class", type=int | None, default=None, help="A quarter of that by default.")
    parser.add_argument("--size", type=int, default=64, help="Height and width, pixels.")
    parser.add_argument("--frames", type=int, default=64, help="Frames in a video.")
    parser.add_argument("--seed", type=int, default=0, help="The same seed gives the same files.")
    parser.add_argument("--workers", type=int, default=available_cores(), help="Processes that draw and encode.")
    return parser


def _show_parser() -> Parser:
    parser = Parser(description="Count videos, classes and missing files, and name the hash that results carry.")
    parser.add_argument("source", type=str, help="Class folders, a Kinetics CSV or a list of 'path label' lines.")
    parser.add_argument("--root", type=str | None, default=None, help="Where the videos of a CSV or list lie.")
    return parser


def _synth(options: object) -> None:
    from videogn.cli.progress import bar
    from videogn.data.synthetic import write_motion_dataset

    values = vars(options)
    with bar("Writing videos") as advance:
        out = write_motion_dataset(**values, progress=advance)
    print(f"{out}: ready; train on it with `videogn fit --config configs/motion.yaml --data.root {out}`")  # noqa: T201


def _show(options: object) -> None:
    from videogn.data.index import read_index

    index = read_index(**vars(options))
    missing = {record.path for record in index.missing()}
    counts = Counter(record.label for record in index.records)
    lost = Counter(record.label for record in index.records if record.path in missing)
    print(f"{len(index)} videos, {len(index.classes)} classes, {len(missing)} missing")  # noqa: T201
    print(f"sha256 {index.fingerprint()}")  # noqa: T201
    for number, name in enumerate(index.classes):
        gone = f"  ({lost[number]} missing)" if lost[number] else ""
        print(f"{counts[number]:8d}  {name}{gone}")  # noqa: T201
