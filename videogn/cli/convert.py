"""videogn convert: another norm for a trained BatchNorm network, as a start for fine-tuning."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from videogn.checks import expanded, require_positive
from videogn.choices import NORM, TIME_LIMIT, EvaluationViews, chosen
from videogn.cli.exits import name_failure
from videogn.source_names import check_not_exported, check_source
from videogn.system.destination import check_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from videogn.inference.agreement import Agreement
    from videogn.inference.unlabelled_clips import UnlabelledClips


@dataclass(frozen=True)
class _Stage:
    """How far a converted network is from its source: the relative error of each norm's output, the predictions."""

    distances: dict[str, float]
    agreement: Agreement


@dataclass(frozen=True)
class Options:
    """Give a trained BatchNorm network another norm: a start for fine-tuning.

    The norms are replaced; then, layer by layer, gamma and beta are set so that over unlabelled clips the output has
    the BatchNorm network's mean and variance in every channel. The result is a start for `videogn fit
    --model.init_from`, not a network to use as it is: how far it agrees with the BatchNorm network, on other clips, is
    reported.

    Attributes:
        source (SOURCE): Checkpoint of `videogn fit`, or a published network such as zoo:i3d_r50, with BatchNorm.
        data (PATH): Videos like those that the network is for; labels are not used. Files, folders of videos, lists,
            Kinetics CSVs or indices (.parquet).
        out (FILE): Checkpoint to write.
        norm: Norm without running statistics and without an activation of its own, by name or dotted path.
        norm_options: Options of the norm, for instance {groups: 16}.
        clips: Number of clips that gamma and beta are set on; as many others compare the two networks. Each is from
            another video as long as there are enough. Every norm takes a pass of the network over them.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        workers: Number of processes that decode.
        time_limit (SECONDS): Time limit for decoding one video, of which a long or large one has more; 0 waits without
            limit.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
        json: Print one JSON object and nothing else.
    """

    source: str
    data: tuple[str, ...] = field(kw_only=True)
    out: str = field(kw_only=True)
    norm: str = NORM
    norm_options: dict[str, Any] = field(default_factory=dict)
    clips: int = 64
    device: str = "auto"
    workers: int = 0
    time_limit: float = TIME_LIMIT
    trust: tuple[str, ...] = ()
    json: bool = False

    def __post_init__(self) -> None:
        require_positive("--clips", self.clips)


def run(options: Options) -> int:
    """Convert the network, write its checkpoint, and print how far it agrees with its source.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a video failed.
    """
    out = expanded(options.out)
    if out.is_dir():
        raise ValueError(f"--out must be a file, got the folder {options.out}")
    check_source(options.source)  # before the seconds that the imports take
    check_not_exported(options.source)
    check_file(out)
    if out.exists() and out.resolve() == expanded(options.source).resolve():
        raise ValueError(f"--out is the source, {options.out}, which would be lost: name another file")
    from videogn.cli.progress import bars
    from videogn.inference.loading import load_network
    from videogn.models.norm_calibration import calibrate_norms, take_over
    from videogn.system.devices import device_named
    from videogn.training.written_network import task_for, write_network

    device = device_named(options.device)
    reference, about = load_network(options.source, trust=options.trust)
    task = task_for(about, norm=options.norm, norm_options=options.norm_options or None)
    _check_norms(task.net, reference, about["norm"], options)
    network, reference = task.net.to(device), reference.to(device)
    take_over(network, reference)
    with bars() as progress:
        clips, held_out, failed = _clips(options, about, device, progress)
        before = _compared(network, reference, held_out)
        advance = functools.partial(progress, "Calibrating norms")
        calibrate_norms(network, reference, clips, progress=advance)
        after = _compared(network, reference, held_out)
    write_network(task, out, origin={"converted_from": options.source, "calibration_clips": len(clips)})
    for path, reason in failed:
        name_failure(path, reason)
    if options.json:
        print(json.dumps(_as_json(options, about, len(clips), before, after), indent=2))
    else:
        _print(options, about, len(clips), before, after)
    return 1 if failed else 0


def _check_norms(network: nn.Module, reference: nn.Module, name: str, options: Options) -> None:
    """Refuse norms that there is nothing to convert from or to, before any video is read."""
    from videogn.models.norm_calibration import has_running_statistics
    from videogn.norm import NORMS, make_norm

    if not has_running_statistics(reference):
        raise ValueError(
            f"{options.source} has norm {name}, which keeps no running statistics: only BatchNorm and its kin are "
            "converted; fine-tune it as it is, with --model.init_from"
        )
    if has_running_statistics(network) or not make_norm(options.norm).is_layer_only:
        layers = [norm for norm in NORMS if make_norm(norm).is_layer_only]
        others = [norm for norm in layers if not has_running_statistics(make_norm(norm)(64))]
        raise ValueError(
            "--norm must be one without running statistics and without an activation of its own, such as "
            f"{', '.join(others)}, got {options.norm!r}"
        )


def _clips(
    options: Options, about: dict[str, Any], device: torch.device, progress: Callable[[str, int, int | None], None]
) -> tuple[UnlabelledClips, UnlabelledClips, list[tuple[str, str]]]:
    """The clips to calibrate on, as many others, and the videos that failed, with the reason.

    Videos take turns, so that no video has clips on both sides.
    """
    from videogn.bench.workload import find_records, spread
    from videogn.inference.unlabelled_clips import UnlabelledClips, read_clips

    records = find_records(options.data)
    if len(records) < 2:
        raise ValueError(f"--data must have 2 videos or more, to compare on others than those used, got {len(records)}")
    videos = spread(records, 2 * options.clips)
    a_video = -(-2 * options.clips // len(videos))
    # One clip of a video lies in its middle; the crop is as large as in training.
    views = chosen(EvaluationViews, {**about, "num_clips": a_video, "protocol": "mmaction2", "crops": "center"})
    found, failed = read_clips(
        videos,
        views,
        workers=options.workers,
        time_limit=options.time_limit,
        progress=lambda done, total: progress("Decoding videos", done, total),
    )
    if len(found) < 2:
        raise ValueError(
            f"{len(failed)} of {len(videos)} videos failed, the first is {failed[0].path}: {failed[0].error}"
        )

    def of(videos: Sequence[tuple[Tensor, ...]]) -> UnlabelledClips:
        clips = [clip for video in videos for clip in video][: options.clips]
        at_once = about["clips_per_forward"]
        return UnlabelledClips(clips, about["mean"], about["std"], batch_size=at_once, device=device)

    return of(found[::2]), of(found[1::2]), [(sample.path, str(sample.error)) for sample in failed]


def _compared(network: nn.Module, reference: nn.Module, clips: UnlabelledClips) -> _Stage:
    from videogn.inference.agreement import agreement
    from videogn.models.norm_calibration import layer_distances

    return _Stage(layer_distances(network, reference, clips), agreement(network, reference, clips))


def _as_json(options: Options, about: dict[str, Any], clips: int, before: _Stage, after: _Stage) -> dict[str, Any]:
    names = {"source": options.source, "out": options.out, "arch": about["arch"]}
    norms = {"from": about["norm"], "norm": options.norm, "norm_options": options.norm_options, "clips": clips}
    return {**names, **norms, "converted": asdict(before), "calibrated": asdict(after)}


def _print(options: Options, about: dict[str, Any], clips: int, before: _Stage, after: _Stage) -> None:
    from videogn.cli.plain_console import PlainConsole

    console = PlainConsole(80)
    one, other = before.agreement, after.agreement
    console.print(
        f"{about['arch']}, {about['norm']} to {options.norm}: gamma and beta of {len(after.distances)} norms set on "
        f"{clips} clips, compared with the source on {other.clips} others"
    )
    layers = [(name, f"{before.distances[name]:.3f}", f"{value:.3f}") for name, value in after.distances.items()]
    console.print(_table("Relative error of the norms' outputs, |z - y| / |y|", "norm", layers))
    rows = [
        ("same class", f"{one.top1_agreement:.1%}", f"{other.top1_agreement:.1%}"),
        ("total variation", f"{one.total_variation:.3f}", f"{other.total_variation:.3f}"),
        ("Kullback-Leibler divergence", f"{one.kl:.3f}", f"{other.kl:.3f}"),
    ]
    console.print(_table("Predictions against the source's", "", rows))
    console.print("A start for fine-tuning, not a network to use as it is:")
    console.print(_fine_tuning(options, about), soft_wrap=True)


def _table(title: str, first: str, rows: Sequence[tuple[str, str, str]]) -> Any:
    from rich import box
    from rich.table import Column, Table

    columns = (Column(name, justify="right") for name in ("converted", "calibrated"))
    table = Table(
        Column(first, overflow="fold"),
        *columns,
        title=title,
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _fine_tuning(options: Options, about: dict[str, Any]) -> str:
    """The command that goes on from here."""
    words = ["videogn", "fit", "--model.init_from", options.out, "--model.arch", about["arch"]]
    words += ["--model.norm", options.norm]
    for name, value in (("norm_options", options.norm_options), ("arch_options", about.get("arch_options"))):
        if value:
            words += [f"--model.{name}", json.dumps(value)]
    return f"{shlex.join(words)} --data.root FOLDER ..."
