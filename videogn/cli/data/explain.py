"""videogn data explain: the frames of each clip of a video, as a table and a contact sheet."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import existing_path, expanded, require_positive
from videogn.choices import FRAME_RATE, TIME_LIMIT, DecoderName, NetworkInput
from videogn.cli.view_options import ViewOptions
from videogn.system.destination import check_file
from videogn.system.displayable import displayable, one_line
from videogn.system.sizes import counted

if TYPE_CHECKING:
    import numpy as np

    from videogn.axes import VideoRecord
    from videogn.data.explanation import ExplainedClip
    from videogn.report.contact_sheet import ClipRow
    from videogn.video.crops import ResizedCrop
    from videogn.video.decoders.decode import OpenVideo
    from videogn.video.decoders.frame_source import FrameSource
    from videogn.video.decoders.guard import GuardedVideo

#: Number of frames per clip on the contact sheet.
_THUMBNAILS = 8
#: Longer side of the pictures that are kept for the sheet, in pixels; roughly.
_LARGEST = 400


@dataclass(frozen=True)
class Options(ViewOptions):
    """Show the frames of each clip of a video, and the part of each frame that is seen.

    Prints a table and writes a contact sheet with one row per clip.

    Attributes:
        video: Video file, or folder of numbered images; with #t=5.4,11.6 or #frames=12,48 after it, this part of it.
        crop_size: Side of the center or the training crop, in pixels.
        train: Draw random clips and crops, as training does.
        random_resized_crop (SHARE): With --train: smallest and largest share of the frame's area that is seen, as with
            --data.random_resized_crop of fit.
        seed: Seed of the random clips and crops.
        decoder: Decoder; auto is pyav, which takes the place of another one that is not exact on the file.
        frame_rate: Frames per second of a folder of images.
        out (FILE.png): Contact sheet. By default VIDEO_clips.png in this folder.
        json: Print one JSON object and nothing else.
    """

    video: str
    crop_size: int = NetworkInput.crop_size
    train: bool = False
    random_resized_crop: tuple[float, ...] = ()
    seed: int = 0
    decoder: DecoderName = "auto"
    frame_rate: float = FRAME_RATE
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
    from videogn.video.timeline import make_timeline

    check_decoder(options.decoder)
    require_positive("--frame-rate", options.frame_rate)
    plan = options.plan(train=options.train, crop_size=options.crop_size, resized_crop=_resized_crop(options))
    record = _record(options.video)
    sheet = expanded(options.out or _sheet_of(record.path))
    if sheet.is_dir():
        raise ValueError(f"--out must be the file to write, {sheet} is a folder")
    check_file(sheet)
    draws = options.clips if options.train else 1
    try:
        guarded = closing(VideoGuard(TIME_LIMIT, options.frame_rate))
        with guarded as guard, guard.open(record.path, options.decoder) as video:
            timeline, step = make_timeline(video, record, plan.fps), _step(video.info.fps, options)
            clips = explain_clips(video.info, timeline, plan, step=step, draws=draws, seed=options.seed)
            times = video.times()
            rows = _rows(video, clips, times)
            facts = _facts(record.name, video, options)
    except VideoDecodeError as error:
        raise ValueError(str(error)) from error
    write_contact_sheet(rows, sheet, title=_title(facts, options))
    if options.json:
        spelt = _as_json(clips, times)
        print(json.dumps({"video": facts, "rate": plan.fps, "clips": spelt, "sheet": str(sheet)}, indent=2))
    else:
        _print(facts, clips, times, _rate(options))
        print(one_line(f"Contact sheet: {sheet}"))
    return 0


def _resized_crop(options: Options) -> ResizedCrop | None:
    from videogn.video.crops import ResizedCrop

    if not options.random_resized_crop:
        return None
    if not options.train or len(options.random_resized_crop) != 2:
        raise ValueError("--random-resized-crop needs --train and two numbers, for instance 0.08 1")
    smallest, largest = options.random_resized_crop
    return ResizedCrop((smallest, largest))


def _sheet_of(path: str) -> str:
    """Name of the sheet of a video. A folder's name, such as v1.5, has no suffix."""
    name = os.path.basename(os.path.abspath(path)) if os.path.isdir(path) else Path(path).stem
    return f"{name}_clips.png"


def _step(native: float, options: Options) -> float:
    """Frames between two of a clip. At a rate of its own it is the interval, as in training."""
    from videogn.video.clips import SLOWFAST_FPS, clip_step

    if options.train:
        return options.interval
    fps = SLOWFAST_FPS if options.fps else native
    return clip_step(clip_length=options.clip_length, interval=options.interval, protocol=options.protocol, fps=fps)


def _record(video: str) -> VideoRecord:
    """The video, or the part of one that its name says; a missing one is refused with the nearest name that exists."""
    from videogn.data.lists.segments import named_video

    record = named_video(video)
    if "://" in record.path or ".tar/" in record.path:
        return record
    return replace(record, path=str(existing_path(record.path)))


def _facts(name: str, video: GuardedVideo | OpenVideo, options: Options) -> dict[str, Any]:
    info = video.info
    seconds, why = info.frames / info.fps, "the default" if options.decoder == "auto" else "as asked"
    if video.fallback is not None:
        why = f"not by {options.decoder}: {video.fallback}"
    return {"path": displayable(name), **asdict(info), "seconds": seconds, "decoder": video.decoder, "why": why}


def _rows(video: FrameSource, clips: Sequence[ExplainedClip], times: np.ndarray) -> list[ClipRow]:
    """The rows of the sheet; every frame on it is decoded once."""
    import numpy as np

    from videogn.report.contact_sheet import ClipRow, Thumbnail

    length = len(clips[0].indices)
    places = np.unique(np.linspace(0, length - 1, min(_THUMBNAILS, length)).round().astype(int)).tolist()
    wanted = sorted({clip.indices[place] for clip in clips for place in places})
    # One frame at a time: each is much smaller once it is shrunk.
    pictures = {index: _shrunk(video.frames(np.array([index]))[0]) for index in wanted}
    return [
        ClipRow(
            title=f"clip {number}\nfrom {times[clip.indices[0]]:.2f} s" + ("\nmirrored" if clip.crops[0].flip else ""),
            thumbnails=[
                Thumbnail(
                    picture=pictures[clip.indices[place]],
                    caption=f"frame {clip.indices[place]}   {times[clip.indices[place]]:.2f} s",
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
        f"{facts['width']}x{facts['height']}; clips {options.clip_length} x {options.interval}{_rate(options)}, {kind}"
    )


def _rate(options: Options) -> str:
    return f" at {options.fps:g} frames per second" if options.fps else ""


def _as_json(clips: Sequence[ExplainedClip], times: np.ndarray) -> list[dict[str, Any]]:
    spelt = []
    for clip in clips:
        first, last = clip.indices[0], clip.indices[-1]
        place = {"start": first, "end": last, "start_s": float(times[first]), "end_s": float(times[last])}
        spelt.append({**place, **asdict(clip), "crops": [crop._asdict() for crop in clip.crops]})
    return spelt


def _print(facts: dict[str, Any], clips: Sequence[ExplainedClip], times: np.ndarray, rate: str) -> None:
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    console = PlainConsole(120)
    turned = f", turned by {facts['rotation']} degrees" if facts["rotation"] else ""
    stored = "" if facts["stored"] is None else " (stored {1}x{0}, pixels not square)".format(*facts["stored"])
    console.print(one_line(facts["path"]), soft_wrap=True)
    console.print(
        f"{counted(facts['frames'], 'frame')}, {facts['fps']:.4g} per second, {facts['seconds']:.2f} s, "
        f"{facts['width']}x{facts['height']}{stored}{turned}, {facts['codec']}, "
        f"decoded by {facts['decoder']} ({facts['why']})"
    )
    if rate:
        console.print(f"Clips{rate}: the nearest frame to each time.")
    numbers = (Column(name, justify="right", no_wrap=True) for name in ("clip", "start", "end", "seconds"))
    table = Table(*numbers, "frames")
    for number, clip in enumerate(clips):
        first, last = clip.indices[0], clip.indices[-1]
        seconds = f"{times[first]:.2f} to {times[last]:.2f}"
        table.add_row(str(number), str(first), str(last), seconds, clip.describe())
    console.print(table)
    beyond = sum(clip.beyond for clip in clips)
    if beyond:
        console.print(f"Past the end: {counted(beyond, 'frame')}; {_substitutes(clips)}.")


def _substitutes(clips: Sequence[ExplainedClip]) -> str:
    words = {"wrapped": "the clip goes on at the beginning", "repeated": "the last frame stands in"}
    return ", or ".join(dict.fromkeys(words[clip.substitute] for clip in clips if clip.substitute))
