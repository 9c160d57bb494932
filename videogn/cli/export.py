"""videogn export: a network as a file for other programs, or as a folder to share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from videogn.checks import existing_path, expanded
from videogn.choices import DynamicName, ExportFormatName
from videogn.cli.exits import fail
from videogn.source_names import check_source

if TYPE_CHECKING:
    from videogn.exporting.check import Agreement

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
    videos: tuple[str, ...] = ()
    results: str | None = None
    push: str | None = None
    public: bool = False
    trust: tuple[str, ...] = ()


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
    videos = [existing_path(video) for video in options.videos]
    from videogn.exporting.check import CheckFailedError
    from videogn.exporting.export import export

    try:
        made = export(
            options.source,
            options.format,
            expanded(options.out),
            dynamic=options.dynamic,
            preprocessing=options.with_preprocessing,
            videos=videos,
            trust=options.trust,
        )
    except CheckFailedError as error:
        fail(error, status=1)
    if made.note is not None:
        print(made.note)
    for name, found in made.checks.items():
        print(_line(name, found, made.metadata["output"]["name"]))
    print(f"{made.path}: {_shape(made.metadata['input'])} -> {_shape(made.metadata['output'])}")
    return 0


def _as_folder(options: Options) -> int:
    if options.dynamic is not None or options.with_preprocessing or options.videos:
        raise ValueError("--dynamic, --with-preprocessing and --videos are for files, not for --format hf")
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
