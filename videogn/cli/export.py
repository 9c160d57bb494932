"""videogn export: a network as a file for other programs, or as a folder to share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from videogn.checks import expanded
from videogn.choices import ExportFormatName
from videogn.source_names import check_source

Format = Literal[ExportFormatName, "hf"]


@dataclass(frozen=True)
class Options:
    """Write a network as a file that runs without this package.

    Attributes:
        source (SOURCE): Checkpoint of `videogn fit`, or a published network, as for `videogn predict`.
        format: Format of the file; hf is a folder in the Hugging Face layout, which `videogn predict` takes.
        out (FILE): File to write, or folder of hf.
        results (DIR): For hf: results of `videogn test`, for the model card. By default those beside the checkpoint, if
            they are its own.
        push (USER/NAME): For hf: repository on the Hugging Face Hub to push the folder to.
        public: A repository that --push makes is public. By default only its owner sees it.
        trust (PACKAGE): Packages that may be imported if the source names a norm or a network from outside videogn.
    """

    source: str
    format: Format = field(kw_only=True)
    out: str = field(kw_only=True)
    results: str | None = None
    push: str | None = None
    public: bool = False
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Export the network.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    check_source(options.source)  # before the seconds that the imports take
    if options.format == "hf":
        from videogn.cli.export_folder import export_folder

        export_folder(
            options.source,
            options.out,
            results=options.results,
            push=options.push,
            public=options.public,
            trust=options.trust,
        )
        return 0
    if options.push is not None or options.results is not None:
        raise ValueError("--push and --results go with --format hf")
    from videogn.exporting.export import export

    export(options.source, options.format, expanded(options.out))
    return 0
