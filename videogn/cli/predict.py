"""videogn predict: classify video files."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    CropsName,
    DecoderName,
    PredictPrecisionName,
    ProtocolName,
    check_rate,
)
from videogn.source_names import check_source
from videogn.system.files import displayable, replacing

if TYPE_CHECKING:
    from videogn.data.fallbacks import Fallbacks
    from videogn.inference.predictor import Prediction

Format = Literal["table", "json", "csv"]


@dataclass(frozen=True)
class Options:
    """Classify video files with a checkpoint of `videogn fit` or a published network.

    The exit status is 1 if a file failed.

    Attributes:
        videos (VIDEO): Video files, and folders that are searched for videos: files, or folders of numbered images;
            with #t=5.4,11.6 (seconds) or #frames=12,48 after the name, only this part of each video.
        checkpoint (SOURCE): Checkpoint of `videogn fit`; folder in the Hugging Face layout, or id of one on the Hub,
            hf:USER/NAME; or a published network: zoo:x3d_s, torchvision:R2Plus1D_18_Weights.KINETICS400_V1,
            nonlocal:FILE.pkl and their like. It says everything about the network and its input.
        clips: Number of clips per video. By default as a published network was tested, for a checkpoint 10.
        top_k: Number of classes that are named for each video.
        format: Format of the output.
        output (FILE): File to write to, in place of printing.
        protocol: Placement of the clips. By default as a published network was tested, for a checkpoint nonlocal.
        crops: Part of the frame that is seen. By default as in the checkpoint.
        fps: Frames per second at which clips are taken, by the time stamps; 0 takes every frame of the video. By
            default as in the checkpoint.
        decoder: Decoder; auto is pyav. PyAV takes the place of another one on files where that is not exact.
        frame_rate: Frames per second of videos that are folders of numbered images.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        precision: What the network computes in: bf16 takes about half the time of 32 where the processor has it, and
            changes probabilities in the third digit; auto is bf16 there, else 32.
        compile: Compile the network; takes a minute or more for each shape of videos before it pays.
        batch_clips: Number of clips that go through the network at once, at most, of several videos too. By default
            every video goes alone.
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; a slower one
            fails, and its decoder is stopped. 0 waits without limit.
        workers: Number of processes that decode ahead. By default none for one video, else a quarter of the cores, or
            as many as cores if the network is on a GPU.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
    """

    videos: tuple[str, ...]
    checkpoint: str = field(kw_only=True)
    clips: int | None = None
    top_k: int = 5
    format: Format = "table"
    output: str | None = None
    protocol: ProtocolName | None = None
    crops: CropsName | None = None
    fps: float | None = None
    decoder: DecoderName = "auto"
    frame_rate: float = FRAME_RATE
    device: str = "auto"
    precision: PredictPrecisionName = "auto"
    compile: bool = False
    batch_clips: int | None = None
    time_limit: float = TIME_LIMIT
    workers: int | None = None
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Classify the files, and print or write the predictions.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a file failed.
    """
    check_rate("--fps", options.fps)
    check_source(options.checkpoint)  # before the seconds that the imports take
    paths = _paths(options.videos)
    if options.output is not None and os.path.isdir(options.output):
        raise ValueError(f"--output must be a file, got the folder {options.output}")
    from videogn.cli.progress import bar
    from videogn.data.fallbacks import Fallbacks
    from videogn.inference.predictor import Predictor

    fallbacks = Fallbacks(options.decoder)
    predictor = Predictor(
        options.checkpoint,
        num_clips=options.clips,
        protocol=options.protocol,
        crops=options.crops,
        fps=options.fps,
        decoder=options.decoder,
        frame_rate=options.frame_rate,
        device=options.device,
        precision=options.precision,
        compile=options.compile,
        time_limit=options.time_limit,
        trust=options.trust,
    )
    failed: list[str] = []
    shown: list[Prediction] | None = None
    with bar("Classifying") as advance:
        predictions = predictor.predict(
            paths, top_k=options.top_k, workers=options.workers, batch_clips=options.batch_clips
        )
        found = _watched(predictions, failed, fallbacks, lambda done: advance(done, len(paths)))
        if options.output is not None:
            with replacing(options.output) as temporary, temporary.open("w", encoding="utf-8") as file:
                file.writelines(_TEXTS[options.format](found))
        elif options.format != "table" and not sys.stdout.isatty():
            sys.stdout.writelines(_TEXTS[options.format](found))
        else:
            shown = list(found)  # printed when the bar has ended, which is on the same terminal
    if shown is not None:
        _show(shown, options.format)
    if (line := fallbacks.message()) is not None:
        print(line, file=sys.stderr)
    print(f"{len(paths)} expected, {len(paths) - len(failed)} evaluated, {len(failed)} failed", file=sys.stderr)
    return 1 if failed else 0


def _watched(
    predictions: Iterable[Prediction], failed: list[str], fallbacks: Fallbacks, advance: Callable[[int], None]
) -> Iterator[Prediction]:
    """Pass predictions on, name and collect the files that failed, count those that fell back, and move the bar."""
    for number, prediction in enumerate(predictions, 1):
        if prediction.error is not None:
            failed.append(prediction.path)
            print(f"{displayable(prediction.path)}: {prediction.error}", file=sys.stderr)
        else:
            fallbacks.add(prediction.path, prediction.fallback)
        advance(number)
        yield prediction


def _paths(videos: Sequence[str]) -> list[str]:
    """The video files. A missing one fails later, among the others; if all are missing, the command is wrong."""
    from videogn.data.lists.segments import named_video
    from videogn.data.video_files import find_videos

    paths: list[str] = []
    wrong: list[Exception] = []
    for video in videos:
        try:
            record = named_video(video)
            paths += [replace(record, path=path).name for path in find_videos(record.path)]
        except (FileNotFoundError, ValueError) as error:
            paths.append(video)
            wrong.append(error)
    if len(wrong) == len(videos):
        raise wrong[0]
    return paths


def _show(predictions: Sequence[Prediction], form: Format) -> None:
    if form == "table":
        from rich.console import Console

        Console().print(_table(predictions))
    else:
        sys.stdout.writelines(_TEXTS[form](predictions))


def _table(predictions: Iterable[Prediction]) -> Any:
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


# The formats of a file: predictions as they come -> pieces of text, so that a million of them are never held.


def _table_text(predictions: Iterable[Prediction]) -> Iterator[str]:
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=120).print(_table(predictions))  # the columns' widths depend on all rows
    yield text.getvalue()


def _json_text(predictions: Iterable[Prediction]) -> Iterator[str]:
    before = "[\n"
    for prediction in predictions:
        row: dict[str, Any] = {"path": displayable(prediction.path)}
        if prediction.error is not None:
            row["error"] = prediction.error
        else:
            row["predictions"] = [{"label": label, "score": score} for label, score in prediction.scores]
        yield before + textwrap.indent(json.dumps(row, indent=2, ensure_ascii=False), "  ")
        before = ",\n"
    yield "\n]\n"


def _csv_text(predictions: Iterable[Prediction]) -> Iterator[str]:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["path", "rank", "label", "score", "error"])
    for prediction in predictions:
        path = displayable(prediction.path)
        if prediction.error is not None:
            lines.writerow([path, "", "", "", prediction.error])
        lines.writerows(
            [path, rank, label, f"{score:.6g}", ""] for rank, (label, score) in enumerate(prediction.scores, 1)
        )
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


_TEXTS: dict[Format, Callable[[Iterable[Prediction]], Iterator[str]]] = {
    "table": _table_text,
    "json": _json_text,
    "csv": _csv_text,
}
