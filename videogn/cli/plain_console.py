"""The console that commands print tables and lines on."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from videogn.system.displayable import harmless


class PlainConsole(Console):
    """A console that shows text as it is: `[bold]` and `:dog:` in the name of a file are its name.

    Args:
        settings: As for `rich.console.Console`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Make a string ready to be measured and written."""
        return super().render_str(harmless(text), **settings)

    def on_broken_pipe(self) -> None:
        """Let the error through, in place of an end with status 1: it is the same for all that a command prints."""
        raise
