"""The `videogn` command."""

from videogn.cli.main import main

__all__ = ["main"]
