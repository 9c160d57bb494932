"""The videos that `videogn predict` and `videogn features` name, checked before the seconds that the network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from videogn.inference.bulk.inputs import Inputs


class InputOptions(Protocol):
    """The options of a command that say which videos are meant."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Words of the command line."""

    @property
    def list(self) -> str | None:
        """List of further videos."""

    @property
    def null(self) -> bool:
        """Whether NUL bytes separate the paths of the list."""

    @property
    def shard(self) -> str | None:
        """Part of the videos, such as 3/16."""


def named_inputs(options: InputOptions) -> tuple[Inputs, int | None]:
    """Return the videos, and their number if it is known.

    Raises:
        FileNotFoundError: A list does not exist, or nothing that is named does.
        ValueError: No video is named, or an option is wrong.
        OSError: A list cannot be read.
    """
    from videogn.inference.bulk.inputs import Inputs, parse_shard

    if not options.videos and options.list is None:
        raise ValueError("no video is named: give files or folders, or a list of them with --list FILE")
    if options.null and options.list is None:
        raise ValueError("--null says how the paths of a --list are separated, and none is named")
    lists = [] if options.list is None else [options.list]
    shard = None if options.shard is None else parse_shard(options.shard)
    inputs = Inputs(options.videos, lists, null=options.null, shard=shard)
    return inputs, inputs.count()
