"""videogn features: what the classifier gets of video files, for retrieval and linear probes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal

from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    CropsName,
    DecoderName,
    PredictPrecisionName,
    ProtocolName,
    check_rate,
)
from videogn.cli.parsing import POSITIONAL
from videogn.cli.predictor_settings import predictor_settings
from videogn.cli.score_output import Format, checked_output
from videogn.cli.video_inputs import named_inputs
from videogn.source_names import check_source

if TYPE_CHECKING:
    from videogn.inference.bulk.rows import Row


@dataclass(frozen=True)
class Options:
    """Compute the features of video files before the classifier, and write them as Parquet.

    A row is a clip: path, start and end in seconds, features, error. Every row is kept as it comes: after any
    interruption the same command goes on. The exit status is 1 if a file failed.

    Attributes:
        videos (VIDEO): Video files; folders that are searched for videos; patterns, indexes, lists, tar shards and
            URLs, as for `videogn predict`.
        checkpoint (SOURCE): Checkpoint of `videogn fit`, folder in the Hugging Face layout, or published network, as
            for `videogn predict`.
        output (FILE): File to write, .parquet. Rows are kept beside it in FILE.parts as they come.
        list (FILE): List of further videos, one path a line; - is standard input.
        null: The paths of --list are separated by NUL bytes, as those of `find -print0`.
        shard (N/COUNT): Part of the videos: 3/16 is every 16th, from the third on.
        per: Row of the output: a clip, or a video, which has the mean over its clips.
        overwrite: Begin the output anew, without the rows that there are.
        retry_failed: Compute files again that failed before.
        clips: Number of clips per video. By default as a published network was tested, for a checkpoint 10.
        protocol: Placement of the clips. By default as a published network was tested, for a checkpoint nonlocal.
        crops: Part of the frame that is seen. By default as in the checkpoint.
        fps: Frames per second at which clips are taken, by the time stamps; 0 takes every frame of the video. By
            default as in the checkpoint.
        decoder: Decoder; auto is pyav. PyAV takes the place of another one on files where that is not exact.
        frame_rate: Frames per second of videos that are folders of numbered images.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        precision: What the network computes in: 32, bf16, or auto, which is bf16 where the processor has it.
        batch_clips: Number of clips that go through the network at once, at most, of several videos too. By default
            every video goes alone.
        use_truncated: Take a video whose end is missing, or of which frames are damaged, for the frames that decode.
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; 0 waits without
            limit.
        workers: Number of processes that decode ahead. By default none for one video, else a quarter of the cores, or
            as many as cores if the network is on a GPU.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
    """

    videos: tuple[str, ...] = field(default=(), metadata={POSITIONAL: True})
    checkpoint: str = field(kw_only=True)
    output: str = field(kw_only=True)
    list: str | None = None
    null: bool = False
    shard: str | None = None
    per: Literal["clip", "video"] = "clip"
    overwrite: bool = False
    retry_failed: bool = False
    clips: int | None = None
    protocol: ProtocolName | None = None
    crops: CropsName | None = None
    fps: float | None = None
    decoder: DecoderName = "auto"
    frame_rate: float = FRAME_RATE
    device: str = "auto"
    precision: PredictPrecisionName = "32"
    batch_clips: int | None = None
    use_truncated: bool = False
    time_limit: float = TIME_LIMIT
    workers: int | None = None
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Compute the features, and write them.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a file failed.
    """
    check_rate("--fps", options.fps)
    check_source(options.checkpoint)  # before the seconds that the imports take
    if not options.output.lower().endswith(".parquet"):
        raise ValueError(f"--output must end in .parquet, got {options.output}")
    output = checked_output(options.output, "parquet", overwrite=options.overwrite)
    inputs, total = named_inputs(options)
    from videogn.cli.scoring import keep_scores
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.data.fallbacks import Fallbacks
    from videogn.inference.bulk.feature_rows import feature_row_of, write_features
    from videogn.inference.bulk.identity import identity, source_state
    from videogn.inference.bulk.parts import opened_parts
    from videogn.inference.bulk.scoring import Scoring
    from videogn.inference.predictor import Predictor

    state = source_state(options.checkpoint)
    predictor = Predictor(options.checkpoint, **predictor_settings(options))
    size = predictor.num_features
    features = partial(predictor.features, workers=options.workers, batch_clips=options.batch_clips)
    what = identity(
        options.checkpoint,
        predictor.views,
        state=state,
        decoder=options.decoder,
        frame_rate=options.frame_rate,
        top_k=0,
        precision=predictor.precision,
        use_truncated=options.use_truncated,
        features=size,
    )

    def write(rows: Iterable[Row], form: Format, file: BinaryIO) -> None:
        write_features(rows, file, size=size, per_video=options.per == "video")

    with opened_parts(output.path, what, overwrite=options.overwrite) as parts:
        scoring = Scoring(inputs, parts, feature_row_of, retry_failed=options.retry_failed)
        progress = ScoringProgress(total, Fallbacks(options.decoder), "Computing features")
        return keep_scores(features, scoring, parts, progress, output, write)
