"""Predictions as they come -> the terminal, a pipe, or a file with its parts; and what is said at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from videogn.cli.exits import fail
from videogn.cli.row_formats import RowFormats
from videogn.cli.score_output import Format, Output
from videogn.inference.bulk.rows import Row
from videogn.system.destination import open_through
from videogn.system.displayable import one_line
from videogn.system.files import replacing
from videogn.system.room import WriteError, reason
from videogn.system.standard_streams import data_output
from videogn.system.stopping import Stopped, stoppable

if TYPE_CHECKING:
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.inference.bulk.inputs import Inputs
    from videogn.inference.bulk.parts import Parts
    from videogn.inference.bulk.scoring import Found, Predict, Scoring


def print_scores(
    predict: Predict[Found], inputs: Inputs, progress: ScoringProgress, form: Format, formats: RowFormats
) -> int:
    """Print predictions: as they come, or on a terminal and as a table when all are there.

    Args:
        predict: Function that scores videos.
        inputs: Videos.
        progress: Counts them.
        form: Format.
        formats: Formats of the rows.

    Returns:
        Exit status.
    """
    with progress:
        rows = _counted(predict, inputs, progress, formats)
        # The bar is on the same terminal, and a table needs all rows for the widths of its columns.
        held = list(rows) if form == "table" or sys.stdout.isatty() else rows
        if held is rows:
            _print(formats.text(rows, form))
    if form == "table":
        from videogn.cli.plain_console import PlainConsole

        PlainConsole().print(formats.table(held))
    elif held is not rows:
        _print(formats.text(held, form))
    return _end(progress.done, progress.failed)


def pass_scores(
    predict: Predict[Found], inputs: Inputs, progress: ScoringProgress, output: Output, formats: RowFormats
) -> int:
    """Write predictions to a pipe or device as they come. Nothing of them is kept.

    Args:
        predict: Function that scores videos.
        inputs: Videos.
        progress: Counts them.
        output: The pipe or device.
        formats: Formats of the rows.

    Returns:
        Exit status.
    """
    try:
        with open_through(output.path) as file, progress:
            formats.write(_counted(predict, inputs, progress, formats), output.format, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError(f"{output.path} cannot be written ({reason(error)})") from error
    return _end(progress.done, progress.failed)


def keep_scores(
    predict: Predict[Found],
    scoring: Scoring[Found],
    parts: Parts,
    progress: ScoringProgress,
    output: Output,
    write: Callable[[Iterable[Row], Format, BinaryIO], None],
) -> int:
    """Score what is missing in an output, keep each row as it comes, and write the output when all are there.

    Args:
        predict: Function that scores videos.
        scoring: The inputs, and which of them are to be scored.
        parts: Rows.
        progress: Counts what is scored.
        output: The file.
        write: Function that writes rows in a format to an open file.

    Returns:
        Exit status.

    Raises:
        SystemExit: The process was asked to end.
        OSError: The output or its parts cannot be written. All rows are kept.
    """
    try:
        # What a signal does to other processes comes out as a stop here, where it is known what is kept.
        with stoppable(), progress, closing(scoring.run(predict)) as predictions:
            for prediction in predictions:
                progress.add(prediction, scoring.known)
        with replacing(output.path) as temporary, open(temporary, "wb") as file:
            write(parts.rows(), output.format, file)
    except Stopped as stop:
        done, _ = parts.counts()
        folder = one_line(parts.folder)
        fail(f"interrupted: {done:,} rows are kept in {folder}; the same command goes on from there", stop.status)
    return _end(*parts.counts(), scoring.known)


def _counted(predict: Predict[Found], inputs: Inputs, progress: ScoringProgress, formats: RowFormats) -> Iterator[Row]:
    for prediction in predict(inputs):
        progress.add(prediction)
        yield formats.row_of(prediction)


def _print(text: Iterator[str]) -> None:
    """Print pieces of text, each at once."""
    output = data_output()
    for piece in text:
        output.write(piece)
        output.flush()


def _end(done: int, failed: int, known: int = 0) -> int:
    """Say what came of the videos; return the exit status."""
    before = f"; {known:,} of them were scored before" if known else ""
    print(f"{done} expected, {done - failed} evaluated, {failed} failed{before}", file=sys.stderr)
    return 1 if failed else 0
