"""Measurements of a part of the work on this machine."""

#: Action -> (module with `Options` and `run(options)`, summary).
ACTIONS = {
    "data": ("videogn.cli.bench_data", "Where the time of loading goes, and how many workers pay."),
    "predict": ("videogn.cli.bench_predict", "Videos per second of decoding, of the network, and of both at once."),
    "export": ("videogn.cli.bench_export", "Speed, size and agreement of a network's exported files."),
}
