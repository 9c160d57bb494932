"""videogn data synth: the synthetic motion data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from videogn.system.cores import available_cores


@dataclass(frozen=True)
class Options:
    """Write a labelled data set whose eight classes differ by motion only.

    It consists of train/CLASS/*.mp4, val/CLASS/*.mp4 and Kinetics-style train.csv and val.csv.

    Attributes:
        out: Folder to write to, new or empty.
        videos_per_class: Number of training videos per class.
        val_videos_per_class: Number of validation videos per class. By default a quarter of the training videos.
        size: Height and width of the videos, in pixels; even.
        frames: Number of frames per video.
        seed: Seed of everything random. The same seed gives the same files.
        workers: Number of processes that draw and encode.
    """

    out: str
    videos_per_class: int = 120
    val_videos_per_class: int | None = None
    size: int = 40
    frames: int = 32
    seed: int = 0
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

    with bar("Writing videos") as advance:
        out = write_motion_dataset(**asdict(options), progress=advance)
    print(f"{out}: ready; train on it with `videogn fit --config motion --data.root {out}`")
    return 0
