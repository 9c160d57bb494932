"""videogn data synth: the synthetic motion data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from videogn.choices import MotionSettings, chosen
from videogn.system.cores import available_cores
from videogn.system.displayable import one_line


@dataclass(frozen=True)
class Options(MotionSettings):
    """Write a labelled data set whose eight classes differ by motion only.

    It consists of train/CLASS/*.mp4, val/CLASS/*.mp4 and Kinetics-style train.csv and val.csv.

    Attributes:
        out: Folder to write to, new or empty.
        workers: Number of processes that draw and encode.
    """

    out: str
    videos_per_class: int = field(default=120, kw_only=True)
    workers: int = field(default_factory=available_cores)


def run(options: Options) -> int:
    """Write the data set.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    from videogn.cli.progress import bar
    from videogn.data.synthetic.writing import write_motion_dataset

    settings = chosen(MotionSettings, asdict(options))
    with bar("Writing videos") as advance:
        out = write_motion_dataset(options.out, settings, workers=options.workers, progress=advance)
    print(one_line(f"{out}: ready; train on it with `videogn fit --config motion --data.root {out}`"))
    return 0
