"""Grids of norm x clip length x batch size: planned, run and reported."""

#: Action -> (module with `Options` and `run(options)`, summary).
ACTIONS = {
    "plan": ("videogn.cli.study.plan", "Show a grid's cells with their memory and predicted time."),
    "run": ("videogn.cli.study.run", "Train and test every cell that is not finished, then report."),
    "status": ("videogn.cli.study.status", "Show the progress of every cell, and why some failed."),
    "report": ("videogn.cli.study.report", "Write report.md and report.html from the finished cells."),
    "table": ("videogn.cli.study.table", "Write the cells of one or several studies as CSV or Markdown."),
    "export-slurm": ("videogn.cli.study.export_slurm", "Write a Slurm job array that runs the cells."),
    "cell": ("videogn.cli.study.run_cell", "Run one prepared cell, as engines and job arrays do."),
}
