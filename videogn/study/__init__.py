"""Ablations: a grid of cells, each a training run and its test, planned, run anywhere and resumable."""

from videogn.study.budget import Budget
from videogn.study.cell import Cell, Norm, Section
from videogn.study.cell_files import CellResult, CellState
from videogn.study.grid import Grid, read_grid
from videogn.study.running import run_cell
from videogn.study.study_files import Study, read_study
from videogn.study.training_log import CurvePoint

__all__ = [
    "Budget",
    "Cell",
    "CellResult",
    "CellState",
    "CurvePoint",
    "Grid",
    "Norm",
    "Section",
    "Study",
    "read_grid",
    "read_study",
    "run_cell",
]
