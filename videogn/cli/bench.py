"""Measurements of a part of the work on this machine."""

#: Action -> (module with `Options` and `run(options)`, summary).
ACTIONS = {
    "data": ("videogn.cli.bench_data", "Where the time of loading goes, and how many workers pay."),
    "predict": ("videogn.cli.bench_predict", "Videos per second of decoding, of the network, and of both at once."),
    "step": ("videogn.cli.bench_step", "Time, memory and roofline of a training step and of inference."),
    "export": ("videogn.cli.bench_export", "Speed, size and agreement of a network's exported files."),
}
