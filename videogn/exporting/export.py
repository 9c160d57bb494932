"""A source -> a checked file in one of the formats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from videogn.choices import CropsName, DynamicName, EvaluationViews, ExportFormatName
from videogn.exporting.check import (
    TOLERANCE,
    Agreement,
    CheckFailedError,
    agreement,
    first_line,
    random_clips,
    video_clips,
)
from videogn.exporting.formats import FORMATS, check_suffix, require_packages
from videogn.exporting.graph import ALL_SIZES, BATCH_ONLY, Graph, as_text
from videogn.exporting.metadata import describe, versions, views_of
from videogn.exporting.quiet import quiet
from videogn.inference import load_network
from videogn.inference.loading import refuse_several_labels
from videogn.source_names import check_not_exported
from videogn.system.files import replacing_together


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        dynamic: "batch" or "all".
        note: Why only the batch is free where all sizes were wanted, or None.
        metadata: What the file says about itself.
        checks: Comparison with the network, "random clips" and, with videos, "video clips".
    """

    path: Path
    dynamic: DynamicName
    note: str | None
    metadata: dict[str, Any]
    checks: dict[str, Agreement]


def export(
    source: str | Path,
    form: ExportFormatName,
    out: str | Path,
    *,
    dynamic: DynamicName | None = None,
    preprocessing: bool = False,
    videos: Sequence[str | Path] = (),
    trust: Collection[str] = (),
) -> Exported:
    """Write a network in one of the formats, and compare the file with the network.

    Args:
        source: Source of the network, as `videogn.inference.load_network` takes it.
        form: Name of the format, a key of `FORMATS`.
        out: File to write. OpenVINO writes a second one beside it.
        dynamic: Sizes that are free: "batch" the number of clips, "all" also T, H and W. Default: "all" if the network
            is tested on whole frames (crops "full"), whose width differs from video to video, else "batch".
        preprocessing: Whether the file takes uint8 clips (B, T, H, W, 3) and gives probabilities (B, K), in place of
            normalised clips (B, 3, T, H, W) and logits (B, K, T', H', W'). Default: False.
        videos: Videos to compare on, beside random clips. Default: none.
        trust: Packages that may be imported where the source names a norm or a network from outside videogn.

    Returns:
        The file, and the comparison, which is in its metadata too.

    Raises:
        ModuleNotFoundError: A package that the format needs is missing.
        ValueError: The suffix of `out` is not that of the format, the network cannot be translated, or a video cannot
            be decoded.
        CheckFailedError: The file does not give what the network gives; it was removed.
    """
    require_packages(form)
    check_suffix(form, out)
    check_not_exported(source)
    net, about = load_network(source, trust=trust)
    refuse_several_labels(about, "videogn export")
    with quiet():
        graph, converted, note = _converted(net, about, source, form, dynamic, preprocessing)
    metadata = {**graph.metadata, "versions": versions(FORMATS[form].packages)}
    with replacing_together(out) as temporary, quiet():
        FORMATS[form].save(converted, temporary, as_text(metadata))
        checks = _check(graph, form, temporary, videos, views_of(about))
        numbers = {name: asdict(found) for name, found in checks.items()}
        metadata["check"] = {"tolerance": TOLERANCE, **numbers}
        FORMATS[form].save(converted, temporary, as_text(metadata))
    return Exported(Path(out), "all" if graph.dynamic == ALL_SIZES else "batch", note, metadata, checks)


def _converted(
    net: nn.Module,
    about: dict[str, Any],
    source: str | Path,
    form: ExportFormatName,
    dynamic: DynamicName | None,
    preprocessing: bool,
) -> tuple[Graph, Any, str | None]:
    """Translate the network, with a fixed size if all sizes are wanted and it has layers that need one; say so."""
    views = views_of(about)
    note = None
    if dynamic == "all" or (dynamic is None and views.crops == "full"):
        graph = _graph(net, about, source, ALL_SIZES, preprocessing)
        try:
            return graph, FORMATS[form].convert(graph), None
        except Exception as error:  # dozens of types, of torch and of the format's own package
            note = f"T, H and W cannot be free ({first_line(error)})"
    graph = _graph(net, about, source, BATCH_ONLY, preprocessing)
    try:
        converted = FORMATS[form].convert(graph)
    except Exception as error:
        raise ValueError(f"{about['arch']} cannot be translated to {form}: {first_line(error)}") from error
    return graph, converted, note and f"{note}: the file takes clips of {' x '.join(map(str, graph.size))}"


def _graph(
    net: nn.Module, about: dict[str, Any], source: str | Path, dynamic: tuple[int, ...], preprocessing: bool
) -> Graph:
    views = views_of(about)
    # Whole frames have no fixed size: a file that needs one takes the crops of training.
    crops: CropsName = "center" if views.crops == "full" and dynamic != ALL_SIZES else views.crops
    side = views.crop_size if crops == "center" else views.short_side
    size = (views.clip_length, side, side)
    shape = [None if axis in dynamic else length for axis, length in enumerate((1, 3, *size))]
    metadata = describe(about, source, shape, crops=crops, preprocessing=preprocessing)
    return Graph(net, size, dynamic, tuple(about["mean"]), tuple(about["std"]), preprocessing, metadata)


def _check(
    graph: Graph, form: ExportFormatName, path: Path, videos: Sequence[str | Path], views: EvaluationViews
) -> dict[str, Agreement]:
    run = FORMATS[form].run(path)
    checks = {"random clips": agreement(graph, run, random_clips(graph))}
    if videos:
        shown = replace(views, crops=graph.metadata["input"]["crops"])
        checks["video clips"] = agreement(graph, run, video_clips(videos, shown))
    for name, found in checks.items():
        if not found.accepted:
            raise CheckFailedError(
                f"the file differs from the network by up to {found.max_difference:.2g} on {name} (outputs up to "
                f"{found.largest:.2g}, tolerance {TOLERANCE:g} of that, at least {TOLERANCE:g}); it was not kept"
            )
    return checks
