"""videogn data explain: the frames of each clip of a video, as a table and a contact sheet."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import existing_path, expanded
from videogn.choices import TIME_LIMIT, DecoderName, NetworkInput
from videogn.cli.view_options import ViewOptions
from videogn.system.files import displayable
from videogn.system.sizes import counted

if TYPE_CHECKING:
    import numpy as np

    from videogn.data.explanation import ExplainedClip
    from videogn.report.contact_sheet import ClipRow
    from videogn.video.decoders.frame_source import FrameSource
    from videogn.video.decoders.frame_table import VideoInfo

#: Number of frames per clip on the contact sheet.
_THUMBNAILS = 8
#: Longer side of the pictures that are kept for the sheet, in pixels; roughly.
_LARGEST = 400


@dataclass(frozen=True)
class Options(ViewOptions):
    """Show the frames of each clip of a video, and the part of each frame that is seen.

    Prints a table and writes a contact sheet with one row per clip.

    Attributes:
        video: Video file.
        crop_size: Side of the center or the training crop, in pixels.
        train: Draw random clips and crops, as training does.
        seed: Seed of the random clips and crops.
        decoder: Decoder; auto is pyav.
        out (FILE.png): Contact sheet. By default VIDEO_clips.png in this folder.
        json: Print one JSON object and nothing else.
    """

    video: str
    crop_size: int = NetworkInput.crop_size
    train: bool = False
    seed: int = 0
    decoder: DecoderName = "auto"
    out: str | None = None
    json: bool = False


def run(options: Options) -> int:
    """Print the table and write the sheet.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: If the video cannot be decoded, or an option is wrong.
    """
    from videogn.data.explanation import explain_clips
    from videogn.report.contact_sheet import write_contact_sheet
    from videogn.video.decoders.guard import VideoGuard
    from videogn.video.decoders.readers import check_decoder
    from videogn.video.errors import VideoDecodeError

    check_decoder(options.decoder)
    plan = options.plan(train=options.train, crop_size=options.crop_size)
    path = _video_path(options.video)
    sheet = expanded(options.out or f"{Path(path).stem}_clips.png")
    if sheet.is_dir():
        raise ValueError(f"--out must be the file to write, {sheet} is a folder")
    draws = options.clips if options.train else 1
    try:
        with closing(VideoGuard(TIME_LIMIT)) as guard, guard.open(path, options.decoder) as video:
            clips = explain_clips(video.info, plan, interval=options.interval, draws=draws, seed=options.seed)
            rows = _rows(video, clips)
            facts = _facts(path, video.info, video.decoder, options)
    except VideoDecodeError as error:
        raise ValueError(str(error)) from error
    write_contact_sheet(rows, sheet, title=_title(facts, options))
    if options.json:
        print(json.dumps(_as_json(facts, clips, sheet), indent=2))
    else:
        _print(facts, clips, sheet)
    return 0


def _video_path(video: str) -> str:
    """The path of the video; a missing one is refused with the nearest name that exists."""
    if "://" in video or ".tar/" in video:
        return video
    return str(existing_path(video))


def _facts(path: str, info: VideoInfo, decoder: str, options: Options) -> dict[str, Any]:
    seconds, why = info.frames / info.fps, "the default" if options.decoder == "auto" else "as asked"
    return {"path": displayable(path), **asdict(info), "seconds": seconds, "decoder": decoder, "why": why}


def _rows(video: FrameSource, clips: Sequence[ExplainedClip]) -> list[ClipRow]:
    """The rows of the sheet; every frame on it is decoded once."""
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
    """Means of square blocks of pixels, uint8 (H, W, 3): at most about _LARGEST pixels long."""
    side = -(-max(picture.shape[:2]) // _LARGEST)
    if side == 1:
        return picture.copy()
    height, width = (max(length // side, 1) for length in picture.shape[:2])
    squares = picture[: height * side, : width * side].reshape(height, min(side, picture.shape[0]), width, -1, 3)
    return squares.mean(axis=(1, 3)).round().astype(picture.dtype)


def _title(facts: dict[str, Any], options: Options) -> str:
    kind = "training" if options.train else options.protocol
    return (
        f"{Path(facts['path']).name}: {counted(facts['frames'], 'frame')}, {facts['fps']:.4g} per second, "
        f"{facts['width']}x{facts['height']}; clips {options.clip_length} x {options.interval}, {kind}"
    )


def _as_json(facts: dict[str, Any], clips: Sequence[ExplainedClip], sheet: Path) -> dict[str, Any]:
    spelt = []
    for clip in clips:
        first, last = clip.indices[0], clip.indices[-1]
        times = {"start": first, "end": last, "start_s": first / facts["fps"], "end_s": last / facts["fps"]}
        spelt.append({**times, **asdict(clip), "crops": [crop._asdict() for crop in clip.crops]})
    return {"video": facts, "clips": spelt, "sheet": str(sheet)}


def _print(facts: dict[str, Any], clips: Sequence[ExplainedClip], sheet: Path) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
    turned = f", turned by {facts['rotation']} degrees" if facts["rotation"] else ""
    console.print(facts["path"], soft_wrap=True)
    console.print(
        f"{counted(facts['frames'], 'frame')}, {facts['fps']:.4g} per second, {facts['seconds']:.2f} s, "
        f"{facts['width']}x{facts['height']}{turned}, {facts['codec']}, decoded by {facts['decoder']} ({facts['why']})"
    )
    numbers = (Column(name, justify="right", no_wrap=True) for name in ("clip", "start", "end", "seconds"))
    table = Table(*numbers, "frames")
    for number, clip in enumerate(clips):
        first, last = clip.indices[0], clip.indices[-1]
        seconds = f"{first / facts['fps']:.2f} to {last / facts['fps']:.2f}"
        table.add_row(str(number), str(first), str(last), seconds, clip.describe())
    console.print(table)
    beyond = sum(clip.beyond for clip in clips)
    if beyond:
        console.print(f"Past the end of the video: {counted(beyond, 'frame')}; {_substitutes(clips)}.")
    console.print(f"Contact sheet: {sheet}", soft_wrap=True)


def _substitutes(clips: Sequence[ExplainedClip]) -> str:
    words = {"wrapped": "the clip goes on at the beginning", "repeated": "the last frame stands in"}
    return ", or ".join(dict.fromkeys(words[clip.substitute] for clip in clips if clip.substitute))
