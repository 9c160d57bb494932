"""Ablations: a grid of cells, each a training and a test of its own, planned, run anywhere and resumable."""

from videogn.study.budget import Budget
from videogn.study.cell import Cell, Norm
from videogn.study.grid import Grid, read_grid
from videogn.study.results import CellResult, CurvePoint, Section, Study, read_study
from videogn.study.running import CellState, run_cell

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
