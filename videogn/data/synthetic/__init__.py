"""A labelled data set of real video files whose classes differ by motion only."""

from videogn.data.synthetic.writing import write_motion_dataset

__all__ = ["write_motion_dataset"]
