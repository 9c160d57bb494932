"""Parsers whose errors are one line with the nearest valid name."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from videogn.cli.main import fail
from videogn.names import did_you_mean

#: How jsonargparse names a key or option that it does not know.
_UNKNOWN = re.compile(r"(?:Unrecognized arguments: --|[Kk]ey ['\"]?|[Oo]ption ['\"]?)(?P<name>[\w.]+)")


class OneLineErrors:
    """Mixin for an ArgumentParser: no page of usage before the reason."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2 and one line."""
        fail(message)
        raise AssertionError


class Parser(OneLineErrors, ArgumentParser):  # type: ignore[misc]
    """The parser of the commands that are not Lightning's."""
