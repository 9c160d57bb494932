"""videogn probe: a linear classifier of one's own classes on a network's features, which are computed once."""

from __future__ import annotations

import json
import logging
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from videogn.checks import expanded, require_positive
from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    VAL_FRACTION,
    CropsName,
    DecoderName,
    PredictPrecisionName,
    ProtocolName,
    check_rate,
)
from videogn.cli.predictor_settings import predictor_settings
from videogn.source_names import check_not_exported, check_source
from videogn.system.destination import check_file
from videogn.system.displayable import one_line
from videogn.system.stopping import going_on

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from videogn.cli.score_output import Output
    from videogn.data.video_index import VideoIndex
    from videogn.inference.bulk.identity import State
    from videogn.inference.predictor import Predictor
    from videogn.training.linear_heads import Clips, Trial

#: What is added to the name of the checkpoint for that of the features.
_FEATURES = ".features.parquet"


@dataclass(frozen=True)
class Options:
    """Train a classifier of your classes on the features of a network, which are computed once.

    Every video goes through the network once. On its features, standardised, a linear classifier is trained for every
    learning rate with every weight decay, all in the same passes; the one that is best on the validation videos becomes
    the last layer of the network. The checkpoint is one for `videogn test`, `predict`, `export` and `fit
    --model.init_from`. Features are kept as they come: after any interruption the same command goes on, and other rates
    take seconds. The exit status is 1 if a file failed.

    Attributes:
        checkpoint (SOURCE): Checkpoint of `videogn fit`, folder in the Hugging Face layout, or published network, as
            for `videogn predict`.
        data (ROOT): Data set, as for --data.root of `videogn fit`: a folder with train and val in it, one folder a
            class, which is divided, or an index.
        output (FILE): Checkpoint to write. The features are kept beside it in FILE.features.parquet.
        columns (ROLE=NAME,...): Columns of a list where it is not clear which is which: path=video_name,label=tag.
        val_fraction (SHARE): Share of each class held out for validation where the data set is not divided.
        seed: Seed of that division and of the order of the clips.
        clips: Number of clips per video, for training and validation: more of them are more examples.
        learning_rate (RATE): Learning rates.
        weight_decay (DECAY): Weight decays.
        epochs: Number of passes over the features.
        overwrite: Begin anew, without the features that there are.
        retry_failed: Compute files again that failed before.
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
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; 0 waits without
            limit.
        workers: Number of processes that decode ahead. By default a quarter of the cores, or as many as cores if the
            network is on a GPU.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
        json: Print one JSON object and nothing else.
    """

    checkpoint: str = field(kw_only=True)
    data: str = field(kw_only=True)
    output: str = field(kw_only=True)
    columns: str | None = None
    val_fraction: float = VAL_FRACTION
    seed: int = 0
    clips: int = 4
    learning_rate: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    weight_decay: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
    epochs: int = 100
    overwrite: bool = False
    retry_failed: bool = False
    protocol: ProtocolName | None = None
    crops: CropsName | None = None
    fps: float | None = None
    decoder: DecoderName = "auto"
    frame_rate: float = FRAME_RATE
    device: str = "auto"
    precision: PredictPrecisionName = "32"
    batch_clips: int | None = None
    time_limit: float = TIME_LIMIT
    workers: int | None = None
    trust: tuple[str, ...] = ()
    json: bool = False

    def __post_init__(self) -> None:
        require_positive("--clips", self.clips)
        require_positive("--epochs", self.epochs)
        for rate in self.learning_rate:
            require_positive("--learning-rate", rate)
        for decay in self.weight_decay:
            if not 0 <= decay < math.inf:
                raise ValueError(f"--weight-decay must be >= 0, got {decay}")


def run(options: Options) -> int:
    """Compute what features are missing, train the classifiers, and write the network with the best of them.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a file failed.
    """
    check_rate("--fps", options.fps)
    check_source(options.checkpoint)  # before the seconds that the imports take
    check_not_exported(options.checkpoint)
    from videogn.cli.score_output import checked_output

    out = expanded(options.output)
    if out.is_dir():
        raise ValueError(f"--output must be a file, got the folder {options.output}")
    check_file(out)
    if out.exists() and out.resolve() == expanded(options.checkpoint).resolve():
        raise ValueError(f"--output is the checkpoint, {options.output}, which would be lost: name another file")
    output = checked_output(f"{options.output}{_FEATURES}", "parquet", overwrite=options.overwrite)
    splits = _splits(options)
    from videogn.inference.bulk.identity import source_state
    from videogn.inference.predictor import Predictor

    state = source_state(options.checkpoint)
    predictor = Predictor(options.checkpoint, **predictor_settings(options))
    status = _compute(options, predictor, state, splits, output)
    with going_on("the features are kept; the same command goes on"):
        _classify(options, state, splits, output.path, out)
    return status


def _classify(options: Options, state: State, splits: Mapping[str, VideoIndex], features: Path, out: Path) -> None:
    """Train the classifiers, write the network with the best of them, and say how good they are."""
    from videogn.inference.bulk.feature_rows import read_features
    from videogn.inference.bulk.identity import check_same_state
    from videogn.inference.loading import load_network
    from videogn.training.linear_heads import best_of
    from videogn.training.written_network import with_classifier, write_network

    computed = read_features(features)
    clips = {split: _clips(computed, index, split) for split, index in splits.items()}
    trials, standardisation = _train(options, clips, len(splits["train"].classes))
    best = best_of(trials)
    net, about = load_network(options.checkpoint, trust=options.trust)
    check_same_state(options.checkpoint, state)
    task = with_classifier(net, about, splits["train"].classes, *standardisation.folded(best.weight, best.bias))
    facts = _facts(options, clips, best)
    write_network(task, out, origin=facts)
    if options.json:
        print(json.dumps({**facts, "output": str(out), "trials": [_row(trial) for trial in trials]}, indent=2))
    else:
        _print(options, trials, best, clips)


def _splits(options: Options) -> Mapping[str, VideoIndex]:
    """The training and validation videos; what is odd about them is said."""
    from videogn.data.inspection import inspect_classes, inspect_splits
    from videogn.data.lists.columns import parse_columns
    from videogn.data.splits import read_splits
    from videogn.data.usable import without_missing

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given: dict[str, Any] = {"val_fraction": options.val_fraction, "seed": options.seed, "class_names": None}
    found = read_splits(options.data, {}, columns=parse_columns(options.columns), **given)
    for split in ("train", "val"):
        if split not in found:
            raise ValueError(f"there are no {split} videos in {options.data}: the best classifier is chosen on val")
        if found[split].several_labels:
            raise ValueError(f"a probe takes videos of one class each, those of {options.data} may have several labels")
        if (video := found[split].unlabelled()) is not None:
            raise ValueError(f"every {split} video needs a label; {video.path} is without a class")
    found["train"] = found["train"].asked()
    lines = inspect_splits(found, leaks="warn", given_classes=False)
    for line in [*lines, *inspect_classes(found["train"], given=False, allowed=False)]:
        print(one_line(line), file=sys.stderr)
    return {"train": without_missing(found["train"], "train"), "val": found["val"]}


def _compute(
    options: Options, predictor: Predictor, state: State, splits: Mapping[str, VideoIndex], output: Output
) -> int:
    """Compute the features that are missing, and write all of them; the exit status."""
    from videogn.cli.scoring import keep_scores
    from videogn.cli.scoring_progress import ScoringProgress
    from videogn.data.fallbacks import Fallbacks
    from videogn.inference.bulk.feature_rows import feature_row_of, write_features
    from videogn.inference.bulk.identity import identity
    from videogn.inference.bulk.parts import opened_parts
    from videogn.inference.bulk.scoring import Scoring

    size = predictor.num_features
    features = partial(predictor.features, workers=options.workers, batch_clips=options.batch_clips)
    settings: dict[str, Any] = {"decoder": options.decoder, "frame_rate": options.frame_rate, "top_k": 0}
    settings |= {"state": state}
    what = identity(options.checkpoint, predictor.views, precision=predictor.precision, features=size, **settings)
    with opened_parts(output.path, what, overwrite=options.overwrite) as parts:
        records = chain.from_iterable(index.records for index in splits.values())
        scoring = Scoring(records, parts, feature_row_of, retry_failed=options.retry_failed)
        total = sum(map(len, splits.values()))
        progress = ScoringProgress(total, Fallbacks(options.decoder), "Computing features")
        write = partial(write_features, size=size, per_video=False)
        return keep_scores(features, scoring, parts, progress, output, lambda rows, _, file: write(rows, file))


def _clips(features: Mapping[str, NDArray[Any]], index: VideoIndex, split: str) -> Clips:
    """The features of a split's videos, as far as they did not fail."""
    import numpy as np
    import torch

    from videogn.data.stored_paths import stored_path
    from videogn.training.linear_heads import Clips

    found = [
        (features[path], record.label) for record in index.records if (path := stored_path(record.name)) in features
    ]
    if not found:
        raise ValueError(f"none of the {len(index)} {split} videos has features: all have failed")
    counts = torch.tensor([len(each) for each, _ in found])
    labels, videos = torch.tensor([label for _, label in found]), torch.arange(len(found))
    values = torch.from_numpy(np.concatenate([each for each, _ in found]))
    return Clips(values, labels.repeat_interleave(counts), videos.repeat_interleave(counts))


def _train(options: Options, clips: Mapping[str, Clips], num_classes: int) -> tuple[list[Trial], Any]:
    """Train and test the classifiers; and how their features were standardised."""
    from dataclasses import replace

    from videogn.cli.progress import bar
    from videogn.training.linear_heads import Standardisation, evaluate_heads, train_heads

    standardisation = Standardisation.of(clips["train"].features)
    train, val = (replace(clips[name], features=standardisation(clips[name].features)) for name in ("train", "val"))
    rates, decays = dict.fromkeys(options.learning_rate), dict.fromkeys(options.weight_decay)
    with bar("Training classifiers") as progress:
        heads = train_heads(
            *(train, num_classes, list(rates), list(decays)),
            epochs=options.epochs,
            seed=options.seed,
            progress=progress,
        )
    return evaluate_heads(heads, val), standardisation


def _row(trial: Trial) -> dict[str, float | None]:
    finite = math.isfinite(trial.loss)
    scores = {"val_top1": trial.top1, "val_loss": trial.loss} if finite else {"val_top1": None, "val_loss": None}
    return {"learning_rate": trial.lr, "weight_decay": trial.weight_decay, **scores}


def _facts(options: Options, clips: Mapping[str, Clips], best: Trial) -> dict[str, Any]:
    """What the checkpoint keeps of the probe, and results of its test repeat."""
    videos = {f"{split}_videos": int(each.videos.max()) + 1 for split, each in clips.items()}
    return {"probe_of": options.checkpoint, "clips": options.clips, "epochs": options.epochs, **videos, **_row(best)}


def _print(options: Options, trials: Sequence[Trial], best: Trial, clips: Mapping[str, Clips]) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    rates, decays = dict.fromkeys(trial.lr for trial in trials), dict.fromkeys(trial.weight_decay for trial in trials)
    by_setting = {(trial.lr, trial.weight_decay): trial for trial in trials}
    table = Table(
        "rate",
        *(Column(f"{decay:g}", justify="right") for decay in decays),
        title="val/top1 in % (loss) for each weight decay",
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for rate in rates:
        cells = [by_setting[rate, decay] for decay in decays]
        table.add_row(f"{rate:g}", *(f"{_cell(cell)}{'*' if cell is best else ' '}" for cell in cells))
    console = PlainConsole(80)
    console.print(table)
    train, val = (f"{int(each.videos.max()) + 1}" for each in (clips["train"], clips["val"]))
    console.print(
        f"val/top1 {100 * best.top1:.1f} % of {val} videos, {len(clips['train'].labels)} clips of {train} videos "
        f"trained on: rate {best.lr:g}, weight decay {best.weight_decay:g}; {one_line(options.output)}",
        soft_wrap=True,
    )
    console.print(one_line(_test_command(options)), soft_wrap=True)


def _test_command(options: Options) -> str:
    """The command that tests the network on the same validation videos."""
    words = ["videogn", "test", "--ckpt_path", options.output, "--data.root", options.data]
    for name, before in (("columns", None), ("val_fraction", VAL_FRACTION), ("seed", 0)):
        value = getattr(options, name)
        words += [] if value == before else [f"--data.{name}", str(value)]
    return shlex.join(words)


def _cell(trial: Trial) -> str:
    return f"{100 * trial.top1:.1f} ({trial.loss:.2f})" if math.isfinite(trial.loss) else "diverged"
