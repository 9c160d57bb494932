"""videogn data explain: which frames every clip of a video takes, as a table and a contact sheet."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from videogn.cli.parsing import Parser
from videogn.system.files import displayable

if TYPE_CHECKING:
    import numpy as np

    from videogn.data.explanation import ExplainedClip
    from videogn.data.plans import ViewPlan
    from videogn.report.contact_sheet import ClipRow
    from videogn.video.decoders.frame_source import FrameSource
    from videogn.video.decoders.frame_table import VideoInfo

#: Frames of a clip on the contact sheet.
_THUMBNAILS = 8
#: Pictures are kept at most about this large for the sheet, pixels of the longer side.
_LARGEST = 400
#: Seconds that the video may take to decode.
_TIME_LIMIT = 60.0


def parser() -> Parser:
    """The command's options."""
    made = Parser(
        description="Show which frames each clip of a video takes, and which part of them, as a table and as a contact "
        "sheet with one row a clip."
    )
    made.add_argument("video", type=str, help="The file.")
    made.add_argument("--clips", type=int, default=10, help="Clips.")
    made.add_argument("--clip-length", type=int, default=32, help="Frames in a clip.")
    made.add_argument("--interval", type=int, default=2, help="Frames from one frame of a clip to the next.")
    made.add_argument(
        "--protocol", type=Literal["nonlocal", "slowfast", "endpoint"], default="nonlocal", help="Where clips start."
    )
    made.add_argument(
        "--crops", type=Literal["full", "three_crop", "center"], default="full", help="What of the frame is seen."
    )
    made.add_argument("--short-side", type=int, default=256, help="Shorter side of the resized frames, pixels.")
    made.add_argument("--crop-size", type=int, default=224, help="Side of the center or the training crop, pixels.")
    made.add_argument("--train", action="store_true", help="Random clips and crops, as training draws them.")
    made.add_argument("--seed", type=int, default=0, help="Of what is random.")
    made.add_argument("--decoder", type=str, default="auto", help="auto (which is pyav), pyav, decord or torchcodec.")
    made.add_argument("--out", type=str | None, default=None, help="The sheet; VIDEO_clips.png here by default.")
    made.add_argument("--json", action="store_true", help="Print one JSON object and nothing else.")
    return made


def run(options: Namespace) -> int:
    """Print the table and write the sheet.

    Args:
        options: of `parser`.

    Returns:
        0.

    Raises:
        ValueError: the video cannot be decoded, or an option is wrong.
    """
    from videogn.data.explanation import explain_clips
    from videogn.report.contact_sheet import write_contact_sheet
    from videogn.video.decoders.guard import VideoGuard
    from videogn.video.decoders.readers import check_decoder
    from videogn.video.errors import VideoDecodeError

    if options.clips <= 0:
        raise ValueError(f"--clips must be > 0, got {options.clips}")
    check_decoder(options.decoder)
    plan = _plan(options)
    path = _video_path(options.video)
    sheet = Path(options.out or f"{Path(path).stem}_clips.png").expanduser()
    if sheet.is_dir():
        raise ValueError(f"--out must be the file to write, {sheet} is a folder")
    try:
        with closing(VideoGuard(_TIME_LIMIT)) as guard, guard.open(path, options.decoder) as video:
            clips = explain_clips(
                video.info,
                plan,
                interval=options.interval,
                draws=options.clips if options.train else 1,
                seed=options.seed,
            )
            rows = _rows(video, clips)
            facts = _facts(path, video.info, video.decoder, options)
    except VideoDecodeError as error:
        raise ValueError(str(error)) from error
    write_contact_sheet(rows, sheet, title=_title(facts, options))
    if options.json:
        print(json.dumps(_as_json(facts, clips, sheet), indent=2))  # noqa: T201
    else:
        _print(facts, clips, sheet)
    return 0


def _video_path(video: str) -> str:
    """The video; one that is not there at all is told with the nearest name that is."""
    from videogn.checks import existing_path

    if "://" in video or ".tar/" in video:
        return video
    return str(existing_path(video))


def _plan(options: Namespace) -> ViewPlan:
    from videogn.data.plans import evaluation_plan, training_plan

    clip = {"clip_length": options.clip_length, "interval": options.interval}
    if options.train:
        sides = (options.short_side, options.short_side * 5 // 4)  # 256 to 320
        return training_plan(**clip, short_sides=sides, crop_size=options.crop_size, flip=0.5)
    return evaluation_plan(
        **clip,
        num_clips=options.clips,
        protocol=options.protocol,
        short_side=options.short_side,
        crop_size=options.crop_size,
        crops=options.crops,
    )


def _facts(path: str, info: VideoInfo, decoder: str, options: Namespace) -> dict[str, Any]:
    return {
        "path": displayable(path),
        "frames": info.frames,
        "fps": info.fps,
        "seconds": info.frames / info.fps,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "codec": info.codec,
        "decoder": decoder,
        "why": _why(options),
    }


def _why(options: Namespace) -> str:
    return "the default" if options.decoder == "auto" else "as asked"


def _rows(video: FrameSource, clips: Sequence[ExplainedClip]) -> list[ClipRow]:
    """What the sheet shows; every frame on it is decoded once."""
    import numpy as np

    from videogn.report.contact_sheet import ClipRow, Thumbnail

    length = len(clips[0].indices)
    places = np.unique(np.linspace(0, length - 1, min(_THUMBNAILS, length)).round().astype(int)).tolist()
    wanted = sorted({clip.indices[place] for clip in clips for place in places})
    # One frame at a time: each is much smaller once it is shrunk.
    pictures = {index: _shrunk(video.frames(np.array([index]))[0]) for index in wanted}
    fps = video.info.fps
    return [
        ClipRow(
            title=f"clip {number}\nfrom {clip.indices[0] / fps:.2f} s" + ("\nmirrored" if clip.crops[0].flip else ""),
            thumbnails=[
                Thumbnail(
                    picture=pictures[clip.indices[place]],
                    caption=f"frame {clip.indices[place]}   {clip.indices[place] / fps:.2f} s",
                    mark=clip.substitute if place >= length - clip.beyond else None,
                )
                for place in places
            ],
            frame_size=clip.frame_size,
            crops=clip.crops,
        )
        for number, clip in enumerate(clips)
    ]


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """The means of squares of pixels, uint8 (H, W, 3): at most about _LARGEST pixels long."""
    side = -(-max(picture.shape[:2]) // _LARGEST)
    if side == 1:
        return picture.copy()
    height, width = (max(length // side, 1) for length in picture.shape[:2])
    squares = picture[: height * side, : width * side].reshape(height, min(side, picture.shape[0]), width, -1, 3)
    return squares.mean(axis=(1, 3)).round().astype(picture.dtype)


def _title(facts: dict[str, Any], options: Namespace) -> str:
    kind = "training" if options.train else options.protocol
    return (
        f"{Path(facts['path']).name}: {facts['frames']} frames, {facts['fps']:.4g} per second, "
        f"{facts['width']}x{facts['height']}; clips {options.clip_length} x {options.interval}, {kind}"
    )


def _as_json(facts: dict[str, Any], clips: Sequence[ExplainedClip], sheet: Path) -> dict[str, Any]:
    spelt = [
        {
            "start": clip.indices[0],
            "end": clip.indices[-1],
            "start_s": clip.indices[0] / facts["fps"],
            "end_s": clip.indices[-1] / facts["fps"],
            "indices": list(clip.indices),
            "beyond": clip.beyond,
            "substitute": clip.substitute,
            "frame_size": list(clip.frame_size),
            "crops": [crop._asdict() for crop in clip.crops],
        }
        for clip in clips
    ]
    return {"video": facts, "clips": spelt, "sheet": str(sheet)}


def _print(facts: dict[str, Any], clips: Sequence[ExplainedClip], sheet: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
    turned = f", turned by {facts['rotation']} degrees" if facts["rotation"] else ""
    console.print(facts["path"], soft_wrap=True)
    console.print(
        f"{facts['frames']} frames, {facts['fps']:.4g} per second, {facts['seconds']:.2f} s, "
        f"{facts['width']}x{facts['height']}{turned}, {facts['codec']}, decoded by {facts['decoder']} ({facts['why']})"
    )
    table = Table()
    for name in ("clip", "start", "end", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("frames")
    for number, clip in enumerate(clips):
        first, last = clip.indices[0], clip.indices[-1]
        seconds = f"{first / facts['fps']:.2f} to {last / facts['fps']:.2f}"
        table.add_row(str(number), str(first), str(last), seconds, clip.describe())
    console.print(table)
    beyond = sum(clip.beyond for clip in clips)
    if beyond:
        console.print(f"{beyond} frames lie past the end of the video: {_substitutes(clips)}.")
    console.print(f"Contact sheet: {sheet}", soft_wrap=True)


def _substitutes(clips: Sequence[ExplainedClip]) -> str:
    words = {"wrapped": "the clip goes on at the beginning", "repeated": "the last frame stands in for them"}
    return ", or ".join(dict.fromkeys(words[clip.substitute] for clip in clips if clip.substitute))
