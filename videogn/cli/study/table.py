"""videogn study table: the cells of several studies as one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from videogn.checks import expanded
from videogn.choices import LeaderboardFormatName
from videogn.system.destination import check_file
from videogn.system.displayable import one_line
from videogn.system.standard_streams import data_output


@dataclass(frozen=True)
class Options:
    """Write the cells of one or several studies as one table, one row a cell, for spreadsheets and programs.

    csv has all columns, whose names stay as docs/study.md lists them; md those that people compare. Accuracies are
    per cent. Rows stand study by study, in the order of the grids.

    Attributes:
        folders (DIR): Folders of studies, finished or not.
        format: csv or md.
        output (FILE): File to write. By default the table is printed.
    """

    folders: tuple[str, ...]
    format: LeaderboardFormatName = field(default="csv", kw_only=True)
    output: str | None = field(default=None, kw_only=True)


def run(options: Options) -> int:
    """Write the table.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If it is not the folder of a study.
    """
    from videogn.report.leaderboard import LEADERBOARD_FORMATS, leaderboard_rows
    from videogn.study import read_study
    from videogn.system.files import write_text
    from videogn.system.sizes import counted

    if options.output is not None:
        check_file(expanded(options.output))
    rows = leaderboard_rows(map(read_study, options.folders))
    text = LEADERBOARD_FORMATS[options.format](rows)
    if options.output is None:
        data_output().write(text)
    else:
        output = expanded(options.output)
        write_text(output, text)
        print(one_line(f"{counted(len(rows), 'cell')}: {output}"))
    return 0
