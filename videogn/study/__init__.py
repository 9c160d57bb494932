"""Ablations: a grid of cells, each a training and a test of its own, run side by side and resumable."""

from videogn.study.cells import Cell, CellResult, Recipe, parse_setting, read_results
from videogn.study.runner import CellState, run_study

__all__ = ["Cell", "CellResult", "CellState", "Recipe", "parse_setting", "read_results", "run_study"]
