"""The `videogn` command."""

from videogn.cli.main import command, main

__all__ = ["command", "main"]
