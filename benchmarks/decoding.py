"""Loading videos against other libraries' ways, side by side: ratios with the number that each should reach.

    python benchmarks/decoding.py [FILE...] [--only tests training resizing] [--repeats 5] [--quick] [--json]

One process, one thread for torch and for every decoder, all ways in turn within a repeat, medians of processor time
(ways of more than a second are measured once, in the first turn), files in the system's cache. Compare ratios, not
milliseconds. "Indexed" is a file that an index calls ok and that has not changed since.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import peers
import textures
import torch
from rich.console import Console
from rich.table import Table

from videogn.axes import Sample, VideoRecord
from videogn.bench.workload import Workload
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.plans import evaluation_plan, training_plan
from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.clips import clip_indices
from videogn.video.decoders.frame_source import CHUNK_BYTES
from videogn.video.decoders.readers import DECODERS
from videogn.video.decoders.survey import survey_text
from videogn.video.storage import CheckedFile
from videogn.video.transforms import normalise, view_chunks, views_of

CLIP = {"clip_length": 32, "interval": 2}
#: Where the ten clips start. Of 300 frames nonlocal needs 150, since its clips share them; the others need nearly all.
PROTOCOLS = ("nonlocal", "slowfast", "endpoint")
TESTS = {protocol: evaluation_plan(EvaluationViews(**CLIP, protocol=protocol)) for protocol in PROTOCOLS}
TRAINING = training_plan(NetworkInput(**CLIP), short_sides=(256, 320), flip=0.5)


class Row(NamedTuple):
    """One comparison; `target` is the least ratio (or the most, where `at_most`) that is aimed at."""

    section: str
    name: str
    milliseconds: float
    ratio: float | None = None
    target: float | None = None
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        if self.ratio is None or self.target is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


#: What is compared with ours -> the times of ours that it should take at least.
TARGETS = {
    "pytorchvideo get_clip x 10 (pyav)": 8.0,
    "pytorchvideo get_clip x 10 (decord)": 8.0,
    "decode for every clip (pyav)": 3.5,
    "decord get_batch of all indices": 1.8,
    "torchcodec unique frames": 1.0,
}
#: Seconds above which a way is measured once.
LONG = 1.0
PARTS = ("tests", "training", "resizing")


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in options.only:
            rows += {"tests": _tests, "training": _training, "resizing": _resizing}[part](Path(folder), options)
    if options.json:
        print(json.dumps([{**row._asdict(), "reached": row.reached} for row in rows], indent=2))  # noqa: T201
    else:
        _print(rows)


def _tests(folder: Path, options: argparse.Namespace) -> list[Row]:
    gop = 12 if options.quick else 250
    sources = {f"340x256, GOP {gop}": _generated(folder, gop, options)} | {path.name: path for path in options.files}
    protocols = PROTOCOLS[:1] if options.quick else PROTOCOLS
    return [
        row
        for name, path in sources.items()
        for protocol in protocols
        for row in compare_test(name, path, protocol, options.repeats)
    ]


def _training(folder: Path, options: argparse.Namespace) -> list[Row]:
    sources = {
        f"340x256, GOP {gop}": _generated(folder, gop, options) for gop in ((12,) if options.quick else (250, 12))
    }
    sources |= {path.name: path for path in options.files}
    return [row for name, path in sources.items() for row in compare_training(name, path, options.repeats)]


def _resizing(folder: Path, options: argparse.Namespace) -> list[Row]:
    source = textures.write_source(
        folder / "720p.mp4", height=720, width=1280, gop=250, frames=20 if options.quick else 100
    )
    return compare_resizing("720p", source, options.repeats)


def _generated(folder: Path, gop: int, options: argparse.Namespace) -> Path:
    path = folder / f"gop{gop}.mp4"
    if not path.exists():
        textures.write_source(path, height=256, width=340, gop=gop, frames=60 if options.quick else 300)
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="Videos to measure besides the generated ones.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="Parts to measure.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="Small files, one protocol, one repeat: whether it runs at all."
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    return options


def interleaved(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, run in turn; the first turn counts for those alone that are not run again."""
    console = Console(stderr=True)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        console.print(f"{len(ways)} ways, turn {turn} of {repeats}", highlight=False)
        for name, way in ways.items():
            if turn and seconds[name][0] > LONG:
                continue
            started = time.process_time()
            way()
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values[1:] or values) for name, values in seconds.items()}


def our_views(path: str | Path, protocol: str, decoder: str) -> None:
    """From the file to every view as uint8, one at a time, as they go to a network."""
    for view in view_chunks(our_frames(path, protocol, decoder), 1):
        del view


def our_frames(path: str | Path, protocol: str, decoder: str) -> Sample:
    """From the file to the sample of a loader process: distinct frames and indices."""
    sample = Workload((VideoRecord(os.fspath(path), None),), TESTS[protocol]).load(0, decoder)
    if sample.error is not None:
        raise SystemExit(f"{path}: {sample.error}")
    return sample


def indexed(path: Path) -> CheckedFile:
    """The path as an index gives it, for a file that has not changed since."""
    state = path.stat()
    return CheckedFile(str(path), state.st_size, state.st_mtime_ns, survey_text(read_frame_table(path).survey))


def _usable(path: Path) -> list[str]:
    def decodes(decoder: str) -> bool:
        try:
            decode_frames(path, [0], decoder)
        except Exception:
            return False
        return True

    return [decoder for decoder in DECODERS if decoder != "auto" and decodes(decoder)]


def compare_test(section: str, path: Path, protocol: str, repeats: int) -> list[Row]:
    """Ten clips of 32 x 2, from the file to uint8 views."""
    info = read_frame_table(path).info
    clips = clip_indices(info.frames, **CLIP, num_clips=10, protocol=protocol, fps=info.fps)
    known = indexed(path)
    ways: dict[str, Callable[[], object]] = {}
    for decoder in _usable(path):
        ways[f"videogn, {decoder}: views"] = functools.partial(our_views, path, protocol, decoder)
        ways[f"videogn, {decoder}, indexed: views"] = functools.partial(our_views, known, protocol, decoder)
    ways["videogn, pyav, indexed: frames only"] = functools.partial(our_frames, known, protocol, "pyav")
    ways["videogn, pyav: frames only"] = functools.partial(our_frames, path, protocol, "pyav")
    for name, (needed, strategy) in peers.TEST_STRATEGIES.items():
        if peers.installed(*needed):
            ways[name] = functools.partial(strategy, path, clips, info.fps)
    seconds = interleaved(ways, repeats)
    ours = seconds["videogn, pyav, indexed: views"]
    title = f"{section}: 10 clips 32x2, {protocol}"
    return [Row(title, name, 1000 * value, value / ours, TARGETS.get(name)) for name, value in seconds.items()]


def compare_training(section: str, path: Path, repeats: int) -> list[Row]:
    """One clip, random start, short side 256 to 320, crop 224, mirrored or not, normalised."""
    info = read_frame_table(path).info
    rng = np.random.default_rng(0)
    # One file under several numbers, since every number draws another clip; the peers get the same ones.
    workload = Workload((VideoRecord(str(path), None),) * (repeats + 1), TRAINING)
    known = Workload((VideoRecord(indexed(path), None),) * (repeats + 1), TRAINING)
    clips = [workload.clips(number, info.frames, info.fps) for number in range(len(workload.records))]

    def ours(videos: Workload) -> None:
        for number in range(len(clips)):
            for view in views_of(videos.load(number)):
                normalise(view[None], (0.45,) * 3, (0.225,) * 3)

    def theirs(backend: str) -> None:
        for clip in clips:
            peers.pytorchvideo_training(path, clip, info.fps, backend, rng)

    ways: dict[str, Callable[[], object]] = {
        "videogn, pyav": functools.partial(ours, workload),
        "videogn, pyav, indexed": functools.partial(ours, known),
    }
    for backend, needed in (("pyav", ("pytorchvideo",)), ("decord", ("pytorchvideo", "decord"))):
        if peers.installed(*needed):
            ways[f"pytorchvideo get_clip + transforms ({backend})"] = functools.partial(theirs, backend)
    seconds = {name: value / len(clips) for name, value in interleaved(ways, max(repeats // 2, 1)).items()}
    fastest, title = seconds["videogn, pyav, indexed"], f"{section}: training clip"
    return [
        Row(title, name, 1000 * value, value / fastest, None if name.startswith("videogn") else 2.5)
        for name, value in seconds.items()
    ]


def compare_resizing(section: str, path: Path, repeats: int) -> list[Row]:
    """Ten clips of a large video: decoding alone, as few frames at a time, and with the resizing to short side 256."""
    info = read_frame_table(path).info
    clips = clip_indices(info.frames, **CLIP, num_clips=10, protocol="nonlocal", fps=info.fps)
    wanted = np.unique(clips)

    def alone(decoder: str) -> None:
        with open_video(path, decoder) as video:
            for few in np.array_split(wanted, -(-len(wanted) * info.height * info.width * 3 // CHUNK_BYTES)):
                video.pixels(few)

    ways: dict[str, Callable[[], object]] = {}
    for decoder in _usable(path):
        ways[f"videogn, {decoder}: frames, not resized"] = functools.partial(alone, decoder)
        ways[f"videogn, {decoder}: resized"] = functools.partial(our_frames, path, "nonlocal", decoder)
    seconds = interleaved(ways, repeats)
    rows = []
    for decoder in _usable(path):
        decoding = seconds[f"videogn, {decoder}: frames, not resized"]
        total = seconds[f"videogn, {decoder}: resized"]
        title, target = f"{section}: resizing included", 1.1 if decoder == "pyav" else None
        rows.append(Row(title, f"videogn, {decoder}: frames, not resized", 1000 * decoding))
        rows.append(Row(title, f"videogn, {decoder}: resized", 1000 * total, total / decoding, target, True))
    return rows


def _print(rows: list[Row]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"{os.cpu_count()} cores, torch {torch.__version__}, one thread", title_justify="left")
    for name in ("what", "ms a video", "ratio", "to reach", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    section = ""
    for row in rows:
        if row.section != section:
            table.add_section()
            table.add_row(f"[bold]{row.section}[/bold]")
            section = row.section
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        target = "" if row.target is None else f"{'<=' if row.at_most else '>='} {row.target:g}"
        verdict = {None: "", True: "reached", False: "[bold]missed[/bold]"}[row.reached]
        table.add_row(row.name, f"{row.milliseconds:.0f}", ratio, target, verdict)
    console.print(table)


if __name__ == "__main__":
    main()
