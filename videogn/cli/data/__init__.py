"""Data sets: their contents, damage, splits, and cheaper copies of their videos."""

#: Action -> (module with `Options` and `run(options)`, summary).
ACTIONS = {
    "index": ("videogn.cli.data.index", "Write the facts of every video of a data set to a Parquet file."),
    "check": ("videogn.cli.data.check", "Compare the videos on disk with an index."),
    "resize": ("videogn.cli.data.resize", "Write small copies of an index's videos, cheaper to read."),
    "explain": ("videogn.cli.data.explain", "Show the frames of each clip, as a table and a contact sheet."),
    "show": ("videogn.cli.data.show", "Count the videos of a folder, a list, a Kinetics CSV or an index."),
    "split": ("videogn.cli.data.split", "Divide a data set into lists of training, validation and test videos."),
    "synth": ("videogn.cli.data.synth", "Write the synthetic motion data set as H.264 files."),
    "images": ("videogn.cli.data.images", "Write a small data set of images, such as digits or CIFAR-10."),
}
