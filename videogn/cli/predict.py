"""videogn predict: classify video files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    CropsName,
    DecoderName,
    EngineName,
    PredictPrecisionName,
    ProtocolName,
    check_rate,
    chosen,
)
from videogn.cli.anytime import (
    AGREEMENT,
    CONFIDENCE,
    ClipOptions,
    anytime_identity,
    calibrating_test,
    check_anytime,
    counting_clips,
    most_clips,
    stopping_rule,
)
from videogn.cli.parsing import POSITIONAL
from videogn.cli.predict_engine import EngineOptions, check_engine, opened_predictor
from videogn.cli.prediction_pictures import PictureOptions, check_pictures, say_unpictured, with_pictures
from videogn.cli.predictor_settings import predictor_settings
from videogn.cli.score_output import Format, Output, checked_output
from videogn.cli.timeline import Timeline
from videogn.cli.video_inputs import named_inputs
from videogn.source_names import check_source
from videogn.system.starting import imports_that_stay

if TYPE_CHECKING:
    from videogn.evaluation.anytime import StoppingRule
    from videogn.inference.bulk.identity import State
    from videogn.inference.bulk.scoring import Predict
    from videogn.inference.predictor import Predictor


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
        checkpoint (SOURCE): Checkpoint of `videogn fit`; folder in the Hugging Face layout, or id of one on the Hub,
            hf:USER/NAME; or a published network: zoo:x3d_s, torchvision:R2Plus1D_18_Weights.KINETICS400_V1,
            nonlocal:FILE.pkl and their like. It says everything about the network and its input.
        list (FILE): List of further videos, one path a line; - is standard input.
        null: The paths of --list are separated by NUL bytes, as those of `find -print0`.
        shard (N/COUNT): Part of the videos to score: 3/16 is every 16th, from the third on.
        clips (N|auto): Number of clips per video. By default as a published network was tested, for a checkpoint 10.
            auto scores them one after the other, until the rest cannot change the class of the video.
        calibration (FILE): With --clips auto, clip_probabilities.parquet of `videogn test` with
            --model.save_clip_probabilities true, to stop earlier: when the rest is not likely to change the class.
        agreement (SHARE): With --calibration, share of videos that have to keep the class of all clips.
        confidence (P): With --calibration, confidence that they do.
        top_k: Number of classes that are named for each video.
        timeline (SECONDS): Find what happens when in long videos: score a clip every so many seconds, and join
            neighbours of one class to segments (start, end, label, score).
        smooth (SECONDS): With --timeline, time over which probabilities are averaged before that.
        min_length (SECONDS): With --timeline, shortest segment; shorter ones go to their longer neighbour.
        min_score (P): With --timeline, probability below which a clip has no class.
        windows (DIR): With --timeline, folder for the probabilities of all clips, one Parquet file a video.
        format: Format of the output. By default that of the output's suffix, or a table. fiftyone and labelstudio are
            JSON for these programs, with the best class of each video.
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
        precision: What the network computes in: 32 as in a test; bf16, which takes about half the time where the
            processor has it, and changes probabilities in the third digit; or auto: bf16 there, else 32.
        compile: Compile the network; takes a minute or more for each shape of videos before it pays.
        batch_clips: Number of clips that go through the network at once, at most, of several videos too. By default
            every video goes alone.
        workers: Number of processes that decode ahead. By default none for one video, else a quarter of the cores, or
            as many as cores if the network is on a GPU.
        use_truncated: Score a video whose end is missing, or of which frames are damaged, over the frames that decode;
            its row says so.
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; a slower one
            fails, and its decoder is stopped. 0 waits without limit.
        plot (DIR): Folder for a figure of each video: a frame of each clip, the best classes, and their probabilities
            over time.
        overlay (DIR): Folder for a copy of each video, as mp4 with its sound, with the running prediction drawn in.
        explain (DIR): Folder for a figure and a copy of each video that show where in space and time its class came
            from (Integrated Gradients). Takes about fifteen times as long as classifying.
        explain_class (CLASS): Class that --explain explains. By default the best one of each video.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
        engine: local (this process) or ray (processes on this machine or a cluster); ray needs an --output.
        address: Address of a running Ray cluster, HOST:PORT or auto. By default one is started here.
        jobs: Number of networks that --engine ray runs at once. By default one for each GPU, else for each machine.
    """

    HEADINGS: ClassVar = {
        "list": "many videos",
        "clips": "what is predicted",
        "timeline": "long videos",
        "format": "output",
        "protocol": "how videos are seen",
        "device": "speed",
        "use_truncated": "bad videos",
        "plot": "pictures",
        "trust": "networks from outside videogn",
        "engine": "where it runs",
    }

    videos: tuple[str, ...] = field(default=(), metadata={POSITIONAL: True})
    checkpoint: str = field(kw_only=True)
    list: str | None = None
    null: bool = False
    shard: str | None = None
    clips: int | Literal["auto"] | None = None
    calibration: str | None = None
    agreement: float = AGREEMENT
    confidence: float = CONFIDENCE
    top_k: int = 5
    timeline: float | None = None
    smooth: float = 0.0
    min_length: float = 0.0
    min_score: float = 0.0
    windows: str | None = None
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
    precision: PredictPrecisionName = "32"
    compile: bool = False
    batch_clips: int | None = None
    workers: int | None = None
    use_truncated: bool = False
    time_limit: float = TIME_LIMIT
    plot: str | None = None
    overlay: str | None = None
    explain: str | None = None
    explain_class: str | None = None
    trust: tuple[str, ...] = ()
    engine: EngineName = "local"
    address: str | None = None
    jobs: int | None = None


def run(options: Options) -> int:
    """Classify the files, and print or write the predictions.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a file failed.
    """
    check_rate("--fps", options.fps)
    check_source(options.checkpoint)  # before the seconds that the imports take
    timeline = chosen(Timeline, vars(options))
    timeline.check(vars(options))
    clips = chosen(ClipOptions, vars(options))
    check_anytime(clips)
    test = calibrating_test(clips)
    output = _output(options)
    engine = chosen(EngineOptions, vars(options))
    check_engine(engine, output)
    inputs, total = named_inputs(options)
    pictures = chosen(PictureOptions, vars(options))
    check_pictures(pictures, total)
    with imports_that_stay():
        from videogn.cli.row_formats import PREDICTIONS, SEGMENTS
        from videogn.cli.scoring import keep_scores, pass_scores, print_scores
        from videogn.cli.scoring_progress import ScoringProgress
        from videogn.data.fallbacks import Fallbacks
        from videogn.inference.bulk.identity import source_state
        from videogn.inference.bulk.parts import opened_parts
        from videogn.inference.bulk.scoring import Scoring

    settings = predictor_settings(options) | {"num_clips": most_clips(clips, test)}
    state = source_state(options.checkpoint)
    with opened_predictor(engine, options.checkpoint, settings) as predictor:
        progress = ScoringProgress(total, Fallbacks(options.decoder))  # its time begins when networks are loaded
        rule = stopping_rule(clips, test, predictor.views)
        if timeline.timeline is None:
            formats, predict = PREDICTIONS, _predict(options, predictor, rule)
        else:
            formats, predict = SEGMENTS, timeline.segmenting(predictor, progress, options.batch_clips)
        with with_pictures(pictures, predictor, predict, rule) as predict:
            predict = counting_clips(predict, rule)
            if output is None:
                return print_scores(predict, inputs, progress, options.format or "table", formats)
            if not output.kept:
                return pass_scores(predict, inputs, progress, output, formats)
            about = _identity(options, predictor, rule, state)
            with opened_parts(output.path, about, overwrite=options.overwrite) as parts:
                scoring = Scoring(inputs, parts, formats.row_of, retry_failed=options.retry_failed)
                status = keep_scores(predict, scoring, parts, progress, output, formats.write)
                say_unpictured(pictures, scoring.known)
                return status


def _predict(options: Options, predictor: Predictor, rule: StoppingRule | None) -> Predict[Any]:
    return partial(
        predictor.predict,
        top_k=options.top_k,
        workers=options.workers,
        batch_clips=options.batch_clips,
        stopping=rule,
    )


def _identity(options: Options, predictor: Predictor, rule: StoppingRule | None, state: State) -> dict[str, Any]:
    """What the rows of an output are scores of."""
    from videogn.inference.bulk.identity import identity

    return identity(
        options.checkpoint,
        predictor.views,
        state=state,
        decoder=options.decoder,
        frame_rate=options.frame_rate,
        top_k=options.top_k,
        precision=predictor.precision,
        use_truncated=options.use_truncated,
        **chosen(Timeline, vars(options)).identity(),
        **anytime_identity(rule),
    )


def _output(options: Options) -> Output | None:
    """The output, or None for standard output."""
    if options.output is not None:
        return checked_output(options.output, options.format, overwrite=options.overwrite)
    if options.format == "parquet":
        raise ValueError("--format parquet is not printed: name a file with --output")
    for flag, given in (("--overwrite", options.overwrite), ("--retry-failed", options.retry_failed)):
        if given:
            raise ValueError(f"{flag} is about the rows of an --output, and none is named")
    return None
