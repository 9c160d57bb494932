"""videogn export: a network as a file for other programs, or as a folder to share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from videogn.checks import existing_path, expanded
from videogn.choices import DynamicName, ExportFormatName
from videogn.cli.exits import fail, name_failure
from videogn.source_names import check_source
from videogn.system.destination import check_file, check_folder
from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.exporting.check import Agreement
    from videogn.exporting.export import Exported
    from videogn.exporting.int8 import Int8Agreement

#: Number of videos that --int8 is calibrated on.
_CALIBRATION_VIDEOS = 100

Format = Literal[ExportFormatName, "hf"]


@dataclass(frozen=True)
class Options:
    """Write a network as a file that runs without this package, and compare the file with the network.

    The file says in its metadata what it takes and gives: see docs/export.md. The exit status is 1, and no file is
    kept, if its output differs from the network's. hf writes a folder to share instead: see docs/weights.md.

    Attributes:
        source (SOURCE): Checkpoint of `videogn fit`, or a published network, as for `videogn predict`.
        format: Format of the file; hf is a folder in the Hugging Face layout, which `videogn predict` takes.
        out (FILE): File to write: .pt2, .onnx or .xml (OpenVINO; its weights go beside it); or folder of hf.
        dynamic: Sizes that are free: batch, the number of clips; all, also their T, H and W. By default all for a
            network that is tested on whole frames, whose width differs from video to video, else batch.
        with_preprocessing: Put normalisation and softmax into the file: uint8 clips (B, T, H, W, 3) in, probabilities
            (B, K) out, in place of normalised clips (B, 3, T, H, W) and logits. Resizing stays outside.
        int8: Compute in 8-bit integers, with the formats onnx and openvino: a quarter of the size. OpenVINO gains speed
            from it; onnxruntime has no fast 3D convolutions in 8 bits. Needs --calibration.
        calibration (VIDEO): Videos, folders of videos or lists, of 100 of which the scales of --int8 are taken.
        videos (VIDEO): Videos to compare the file and the network on, beside random clips.
        results (DIR): For hf: results of `videogn test`, for the model card. By default those beside the checkpoint, if
            they are its own.
        push (USER/NAME): For hf: repository on the Hugging Face Hub to push the folder to.
        public: For hf: a repository that --push makes is public. By default only its owner sees it.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
    """

    source: str
    format: Format = field(kw_only=True)
    out: str = field(kw_only=True)
    dynamic: DynamicName | None = None
    with_preprocessing: bool = False
    int8: bool = False
    calibration: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    results: str | None = None
    push: str | None = None
    public: bool = False
    trust: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.int8 != bool(self.calibration):
            raise ValueError("--int8 and --calibration go together: the videos set the scales of the integers")


def run(options: Options) -> int:
    """Export the network, and print what was written and how far it is from the network.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    check_source(options.source)  # before the seconds that the imports take
    if options.format == "hf":
        return _as_folder(options)
    if options.push is not None or options.results is not None:
        raise ValueError("--push and --results go with --format hf")
    check_file(expanded(options.out))
    from videogn.exporting.check import CheckFailedError

    common = {
        "dynamic": options.dynamic,
        "preprocessing": options.with_preprocessing,
        "videos": [existing_path(video) for video in options.videos],
        "trust": options.trust,
    }
    try:
        made, small = _exported(options, options.format, common)
    except CheckFailedError as error:
        fail(error, status=1)
    if made.note is not None:
        print(one_line(made.note))
    for name, found in made.checks.items():
        print(_line(name, found, made.metadata["output"]["name"]))
    if small is not None:
        print(
            f"in 8 bits: {small.share:.0%} of the size; {small.clips} calibration clips: largest difference "
            f"{small.max_difference:.2g}, top-1 the same for {small.same_top1}"
        )
    print(one_line(f"{options.out}: {_shape(made.metadata['input'])} -> {_shape(made.metadata['output'])}"))
    return 0


def _exported(
    options: Options, form: ExportFormatName, common: dict[str, Any]
) -> tuple[Exported, Int8Agreement | None]:
    """Write the file, in 8 bits if asked for; the first part of the outcome is about float32."""
    from videogn.exporting.export import export

    out = expanded(options.out)
    if not options.int8:
        return export(options.source, form, out, **common), None
    from videogn.bench.example_clips import clips_of_videos
    from videogn.bench.workload import find_records, spread
    from videogn.exporting.int8 import export_int8
    from videogn.inference import load_network

    records = spread(find_records(options.calibration), _CALIBRATION_VIDEOS)
    _, about = load_network(options.source, trust=options.trust)
    return export_int8(options.source, form, out, clips_of_videos(records, about, name_failure), **common)


def _as_folder(options: Options) -> int:
    if options.dynamic is not None or options.with_preprocessing or options.videos or options.int8:
        raise ValueError("--dynamic, --with-preprocessing, --int8 and --videos are for files, not for --format hf")
    check_folder(expanded(options.out))
    from videogn.cli.export_folder import export_folder

    export_folder(
        options.source,
        options.out,
        results=options.results,
        push=options.push,
        public=options.public,
        trust=options.trust,
    )
    return 0


def _line(name: str, found: Agreement, output: str) -> str:
    return (
        f"{found.clips} {name}: largest difference of {output} {found.max_difference:.1e} (they are up to "
        f"{found.largest:.2g}), top-1 the same for {found.same_top1}"
    )


def _shape(described: dict[str, object]) -> str:
    """Name, type and axes of an input or output; a number stands for an axis whose size is fixed."""
    sizes = described.get("size") or {}
    assert isinstance(sizes, dict)
    axes = ", ".join(str(sizes.get(axis) or axis) for axis in str(described["layout"]))
    return f"{described['name']} {described['dtype']} ({axes})"
