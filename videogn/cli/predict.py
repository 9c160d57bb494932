"""videogn predict: classify video files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, get_args

from videogn.checks import existing_path
from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    CropsName,
    DecoderName,
    ProtocolName,
    SourceKindName,
    check_rate,
)
from videogn.cli.exits import fail
from videogn.cli.scores_output import Format, Output, checked_output, write_rows
from videogn.system.files import displayable, replacing
from videogn.system.stopping import Stopped, stoppable

if TYPE_CHECKING:
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.inference.bulk.inputs import Inputs
    from videogn.inference.bulk.parts import Parts
    from videogn.inference.bulk.rows import Row
    from videogn.inference.predictor import Prediction, Predictor

#: Exit status of a command whose output nobody reads any more, as of one that SIGPIPE ends.
_NO_READER = 141


@dataclass(frozen=True)
class Options:
    """Classify video files with a checkpoint of `videogn fit` or a published network.

    With --output, every row is kept as it comes: after any interruption the same command goes on, and later it scores
    only files that are new or changed. The exit status is 1 if a file failed.

    Attributes:
        videos (VIDEO): Video files; folders that are searched for videos: files, or folders of numbered images;
            patterns such as "clips/*.mp4"; indexes of `videogn data index`, lists that training reads, tar shards; URLs
            of an object store. With #t=5.4,11.6 (seconds) or #frames=12,48 after the name, only this part of each
            video.
        checkpoint (SOURCE): Checkpoint of `videogn fit`, or a published network: zoo:x3d_s,
            torchvision:R2Plus1D_18_Weights.KINETICS400_V1, nonlocal:FILE.pkl and their like. It says everything about
            the network and its input.
        list (FILE): List of further videos, one path a line; - is standard input.
        null: The paths of --list are separated by NUL bytes, as those of `find -print0`.
        shard (N/COUNT): Part of the videos to score: 3/16 is every 16th, from the third on.
        clips: Number of clips per video. By default as a published network was tested, for a checkpoint 10.
        top_k: Number of classes that are named for each video.
        format: Format of the output. By default that of the output's suffix, or a table.
        output (FILE): File to write to, in place of printing: .parquet, .jsonl, .csv, .json or .txt. Rows are kept
            beside it in FILE.parts as they come.
        overwrite: Begin the output anew, without the rows that there are.
        retry_failed: Score files again that failed before.
        protocol: Placement of the clips. By default as a published network was tested, for a checkpoint nonlocal.
        crops: Part of the frame that is seen. By default as in the checkpoint.
        fps: Frames per second at which clips are taken, by the time stamps; 0 takes every frame of the video. By
            default as in the checkpoint.
        decoder: Decoder; auto is pyav. PyAV takes the place of another one on files where that is not exact.
        frame_rate: Frames per second of videos that are folders of numbered images.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; a slower one
            fails, and its decoder is stopped. 0 waits without limit.
        workers: Number of processes that decode ahead.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
    """

    videos: tuple[str, ...] = field(default=(), metadata={"positional": True})
    checkpoint: str = field(kw_only=True)
    list: str | None = None
    null: bool = False
    shard: str | None = None
    clips: int | None = None
    top_k: int = 5
    format: Format | None = None
    output: str | None = None
    overwrite: bool = False
    retry_failed: bool = False
    protocol: ProtocolName | None = None
    crops: CropsName | None = None
    fps: float | None = None
    decoder: DecoderName = "auto"
    frame_rate: float = FRAME_RATE
    device: str = "auto"
    time_limit: float = TIME_LIMIT
    workers: int = 0
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Classify the files, and print or write the predictions.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a file failed.
    """
    check_rate("--fps", options.fps)
    if options.checkpoint.partition(":")[0] not in get_args(SourceKindName):
        existing_path(options.checkpoint)  # before the seconds that the imports take
    output = _output(options)
    inputs = _inputs(options)
    from videogn.cli.scoring_progress import ScoringProgress
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
        time_limit=options.time_limit,
        trust=options.trust,
    )
    predict = partial(predictor.predict, top_k=options.top_k, workers=options.workers)
    progress = ScoringProgress(inputs.count(), fallbacks)
    if output is not None and output.kept:
        summary = _keep(options, output, inputs, predictor, predict, progress)
    else:
        summary = _stream(options, output, inputs, predict, progress)
    if (line := fallbacks.message()) is not None:
        print(line, file=sys.stderr)
    print(summary, file=sys.stderr)
    return 1 if summary.failed else 0
