"""videogn predict: classify video files."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from videogn.cli.parsing import Parser
from videogn.files import displayable, write_text

if TYPE_CHECKING:
    from videogn.inference import Prediction

Format = Literal["table", "json", "csv"]


def run(command: str, argv: Sequence[str]) -> int:
    """Classify the files and print or write what was found.

    Args:
        command: "predict".
        argv: its arguments.

    Returns:
        0, or 1 when a file failed.
    """
    options = _parser().parse_args(list(argv))
    paths = _paths(options.videos)
    if options.output is not None and os.path.isdir(options.output):
        raise ValueError(f"--output must be a file, got the folder {options.output}")
    from videogn.cli.progress import bar
    from videogn.inference import Predictor

    predictor = Predictor(
        options.checkpoint,
        num_clips=options.clips,
        protocol=options.protocol,
        crops=options.crops,
        decoder=options.decoder,
        device=options.device,
    )
    predictions: list[Prediction] = []
    with bar("Classifying") as advance:
        for prediction in predictor.predict(paths, top_k=options.top_k, workers=options.workers):
            predictions.append(prediction)
            advance(len(predictions), len(paths))
    _show(predictions, options.format, options.output)
    failed = [prediction for prediction in predictions if prediction.error is not None]
    for prediction in failed:
        print(f"{displayable(prediction.path)}: {prediction.error}", file=sys.stderr)  # noqa: T201
    if failed:
        print(f"{len(failed)} of {len(predictions)} files failed", file=sys.stderr)  # noqa: T201
    return 1 if failed else 0


def _parser() -> Parser:
    parser = Parser(prog="videogn predict", description="Classify video files with a checkpoint of `videogn fit`.")
    parser.add_argument("videos", type=str, nargs="+", metavar="VIDEO_OR_FOLDER", help="Files, or folders of them.")
    parser.add_argument("--checkpoint", type=str, required=True, help="It says everything about network and input.")
    parser.add_argument("--clips", type=int, default=10, help="Clips per video.")
    parser.add_argument("--top-k", type=int, default=5, help="Classes to name for each video.")
    parser.add_argument("--format", type=Format, default="table", help="What is printed.")
    parser.add_argument("--output", type=str | None, default=None, help="Write to this file instead.")
    parser.add_argument(
        "--protocol", type=Literal["nonlocal", "slowfast", "endpoint"], default="nonlocal", help="Where clips start."
    )
    parser.add_argument(
        "--crops",
        type=Literal["full", "three_crop", "center"] | None,
        default=None,
        help="What of the frame is seen; as the checkpoint says by default.",
    )
    parser.add_argument("--decoder", type=Literal["auto", "decord", "pyav"], default="auto", help="What decodes.")
    parser.add_argument("--device", type=str, default="auto", help="cpu, cuda, ...; auto takes a GPU if there is one.")
    parser.add_argument("--workers", type=int, default=0, help="Processes that decode ahead.")
    return parser


def _paths(videos: Sequence[str]) -> list[str]:
    """The files meant. One that does not exist fails later, among the others; if none does, the command is wrong."""
    from videogn.data.video_files import find_videos

    paths: list[str] = []
    wrong: list[Exception] = []
    for video in videos:
        try:
            paths += find_videos(video)
        except (FileNotFoundError, ValueError) as error:
            paths.append(video)
            wrong.append(error)
    if len(wrong) == len(videos):
        raise wrong[0]
    return paths


def _show(predictions: Sequence[Prediction], form: Format, output: str | None) -> None:
    if output is None and form == "table":
        from rich.console import Console

        Console().print(_table(predictions))
        return
    text = {"table": _plain_table, "json": _json, "csv": _csv}[form](predictions)
    if output is None:
        sys.stdout.write(text)
        return
    write_text(output, text)


def _table(predictions: Sequence[Prediction]) -> Any:
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(Column("video", overflow="fold"), Column("class", overflow="fold"), "score")
    for prediction in predictions:
        if prediction.error is not None:
            table.add_row(escape(displayable(prediction.path)), f"[red]{escape(prediction.error)}[/red]", "")
        for rank, (label, score) in enumerate(prediction.scores):
            table.add_row(escape(displayable(prediction.path)) if rank == 0 else "", escape(label), f"{score:.1%}")
        table.add_section()
    return table


def _plain_table(predictions: Sequence[Prediction]) -> str:
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=120).print(_table(predictions))
    return text.getvalue()


def _json(predictions: Sequence[Prediction]) -> str:
    rows: list[dict[str, Any]] = []
    for prediction in predictions:
        row: dict[str, Any] = {"path": displayable(prediction.path)}
        if prediction.error is not None:
            row["error"] = prediction.error
        else:
            row["predictions"] = [{"label": label, "score": score} for label, score in prediction.scores]
        rows.append(row)
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _csv(predictions: Sequence[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "rank", "label", "score", "error"])
    for prediction in predictions:
        if prediction.error is not None:
            writer.writerow([displayable(prediction.path), "", "", "", prediction.error])
        for rank, (label, score) in enumerate(prediction.scores, 1):
            writer.writerow([displayable(prediction.path), rank, label, f"{score:.6g}", ""])
    return text.getvalue()
