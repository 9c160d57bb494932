"""Data sets: their contents, their damage, and cheaper copies of their videos."""

#: Action -> (module with `Options` and `run(options)`, summary).
ACTIONS = {
    "index": ("videogn.cli.data.index", "Write what is in every video of a data set to a Parquet file."),
    "check": ("videogn.cli.data.check", "Verify that the videos are still what an index says."),
    "resize": ("videogn.cli.data.resize", "Write small copies of an index's videos, cheaper to read."),
    "explain": ("videogn.cli.data.explain", "Show the frames of each clip, as a table and a contact sheet."),
    "show": ("videogn.cli.data.show", "Count the videos of a folder, a list, a Kinetics CSV or an index."),
    "synth": ("videogn.cli.data.synth", "Write the synthetic motion data set as H.264 files."),
}
