"""videogn export: a network as a file for other programs."""

from __future__ import annotations

from dataclasses import dataclass, field

from videogn.checks import expanded
from videogn.choices import ExportFormatName


@dataclass(frozen=True)
class Options:
    """Write a network as a file that runs without this package.

    Attributes:
        source (SOURCE): Checkpoint of `videogn fit`, or a published network, as for `videogn predict`.
        format: Format of the file.
        out (FILE): File to write.
    """

    source: str
    format: ExportFormatName = field(kw_only=True)
    out: str = field(kw_only=True)


def run(options: Options) -> int:
    """Export the network.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    from videogn.exporting.export import export

    export(options.source, options.format, expanded(options.out))
    return 0
