"""The figure of feature percentiles in `docs/results/small-batches.md`, from a study whose cells recorded them.

python benchmarks/percentiles_figure.py motion-percentiles FIGURE.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from videogn.report.percentile_figure import draw_percentiles
from videogn.report.style import legend_below, panel_grid, save_figure, title_panel
from videogn.study.study_files import cell_folder, read_study


def main() -> None:
    """Draw a panel for each finished cell, norms down and batch sizes across; a norm has one scale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="Folder of the study.")
    parser.add_argument("figure", type=Path)
    options = parser.parse_args()
    cells = sorted(read_study(options.study).results, key=lambda cell: -cell.batch_size)
    cells.sort(key=lambda cell: cell.norm.name)
    figure, panels = panel_grid(len(cells), height=2.6, across=len({cell.batch_size for cell in cells}))
    for cell, axes in zip(cells, panels, strict=True):
        (path,) = cell_folder(options.study, cell).glob("percentiles_*.csv")
        draw_percentiles(axes, path)
        title_panel(axes, f"{cell.norm.name.upper()}, batches of {cell.batch_size}")
    for norm in {cell.norm for cell in cells}:
        alike = [axes for cell, axes in zip(cells, panels, strict=True) if cell.norm == norm]
        low, high = (pick(axes.get_ylim()[end] for axes in alike) for end, pick in enumerate((min, max)))
        for axes in alike:
            axes.set_ylim(low, high)
    legend_below(figure, panels[0].lines[1:])  # without that of 0
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, options.figure)


if __name__ == "__main__":
    main()
