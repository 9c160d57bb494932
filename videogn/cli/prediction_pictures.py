"""The pictures of `videogn predict`: --plot, --overlay and --explain."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.axes import Sample, VideoRecord
from videogn.checks import did_you_mean, expanded
from videogn.cli.exits import fail, name_failure
from videogn.system.destination import check_folder
from videogn.system.files import make_folder

if TYPE_CHECKING:
    from videogn.evaluation.anytime import StoppingRule
    from videogn.inference.bulk.scoring import Predict
    from videogn.inference.prediction import Prediction
    from videogn.inference.predictor import Predictor
    from videogn.inference.timelines.segmenting import Segmenting, VideoSegments
    from videogn.inference.timelines.window import Window
    from videogn.pictures.of_video import VideoFile

#: Number of videos that nobody looks at one by one.
_MANY = 1000


@dataclass(frozen=True)
class PictureOptions:
    """What the options of the command say about pictures and the videos that they show; see there."""

    plot: str | None
    overlay: str | None
    explain: str | None
    explain_class: str | None
    timeline: float | None
    top_k: int
    decoder: str
    frame_rate: float
    time_limit: float
    workers: int | None
    batch_clips: int | None


def check_pictures(options: PictureOptions, total: int | None) -> None:
    """Check, before the seconds that the network takes to load, that pictures can be made; make their folders.

    Args:
        options: PictureOptions of the command.
        total: Number of videos, if it is known.

    Raises:
        ValueError: Options do not go together, or a folder is a file.
        ModuleNotFoundError: captum is not installed.
        OSError: A folder cannot be made.
    """
    named = {"--plot": options.plot, "--overlay": options.overlay, "--explain": options.explain}
    folders = {flag: expanded(name) for flag, name in named.items() if name is not None}
    if options.explain_class is not None and options.explain is None:
        raise ValueError("--explain-class is about the pictures of --explain, and no folder for them is named")
    for flag in folders.keys() - {"--overlay"}:
        if options.timeline is not None:
            raise ValueError(f"{flag} is about whole videos: with --timeline there is --overlay")
    if "--explain" in folders and importlib.util.find_spec("captum") is None:
        raise ModuleNotFoundError("--explain needs captum: pip install 'videogn[explain]'")
    for flag, folder in folders.items():
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{flag} must be a folder, got the file {folder}")
        check_folder(folder)
        make_folder(folder)
    if folders and total is not None and total > _MANY:
        print(f"{', '.join(folders)} makes a picture of each of {total:,} videos; this takes time", file=sys.stderr)


def say_unpictured(options: PictureOptions, known: int) -> None:
    """Say that videos got no pictures because their rows were there already.

    Args:
        options: PictureOptions of the command.
        known: Number of such videos.
    """
    if known and (options.plot, options.overlay, options.explain) != (None, None, None):
        print(f"no pictures of the {known:,} that were scored before: leave out --output to make them", file=sys.stderr)


@contextmanager
def with_pictures(
    options: PictureOptions, predictor: Predictor, predict: Predict[Any], stopping: StoppingRule | None = None
) -> Iterator[Predict[Any]]:
    """Yield the function that predicts; if pictures are asked for, one that makes those of each video on the way.

    Args:
        options: PictureOptions of the command.
        predictor: The predictor.
        predict: The function that predicts without pictures.
        stopping: When the clips of a video are enough. Default: all are scored.

    Raises:
        ValueError: The class to explain is none of the network's.
        SystemExit: A picture could not be made, which was said. Everything else is done.
    """
    if options.plot is None and options.overlay is None and options.explain is None:
        yield predict
        return
    pictures = _Pictures(options, predictor, stopping)
    yield pictures.classified if options.timeline is None else pictures.along(predict)  # type: ignore[arg-type]
    if pictures.failed:
        fail(f"no pictures of {pictures.failed} of the videos that were scored; see above", 1)


class _Pictures:
    """Scores videos, and makes the pictures of each before the next one."""

    def __init__(self, options: PictureOptions, predictor: Predictor, stopping: StoppingRule | None) -> None:
        from videogn.video.decoders.guard import video_opener

        self._options = options
        self._predictor = predictor
        self._classify = partial(
            predictor.classify, top_k=options.top_k, batch_clips=options.batch_clips, stopping=stopping
        )
        self._opener = video_opener(options.time_limit, options.frame_rate)
        self._class = self._explained(options.explain_class)
        self.failed = 0

    def classified(self, videos: Iterable[VideoRecord]) -> Iterator[Prediction]:
        """Classify videos one by one: their frames are kept until the pictures are made."""
        options = self._options
        waiting: deque[VideoRecord] = deque()

        def taken() -> Iterator[VideoRecord]:
            for record in videos:
                waiting.append(record)
                yield record

        for sample in self._predictor.decode(taken(), workers=options.workers):
            record = waiting.popleft()
            for found in self._classify([sample]):
                if found.error is None:
                    self._make(record, partial(self._of_clips, record, sample, found))
                yield found

    def along(self, segmenting: Segmenting) -> Predict[VideoSegments]:
        """Return a function that scores videos along their timelines, and draws what the windows say."""
        import numpy as np

        from videogn.pictures.of_video import overlay_video

        assert self._options.overlay is not None
        folder = expanded(self._options.overlay)
        recorder = _Recorder(self._predictor)
        segments = replace(segmenting, predictor=recorder)  # type: ignore[arg-type]

        def draw(record: VideoRecord, name: str) -> None:
            windows = recorder.windows
            times = [(window.start, window.end) for window in windows]
            probabilities = np.stack([window.probabilities for window in windows])
            file = self._file(record)
            overlay_video(folder / f"{name}.mp4", file, recorder.class_names, times, probabilities)

        def scored(videos: Iterable[VideoRecord]) -> Iterator[VideoSegments]:
            for record in videos:
                for found in segments([record]):
                    if found.error is None:
                        self._make(record, partial(draw, record))
                    yield found

        return scored

    def _make(self, record: VideoRecord, draw: Callable[[str], None]) -> None:
        """Make the pictures of a video, given their name; say so if its file does not decode where no clip was."""
        from videogn.system.safe_names import safe_name
        from videogn.video.errors import VideoDecodeError

        try:
            draw(safe_name(record.name))
        except VideoDecodeError as error:
            self.failed += 1
            name_failure(record.name, f"no pictures of it: {error.reason}")

    def _of_clips(self, record: VideoRecord, sample: Sample, found: Prediction, name: str) -> None:
        from videogn.pictures.of_video import explain_video, overlay_video, plot_video

        options, predictor = self._options, self._predictor
        names, file = predictor.class_names, self._file(record)
        assert found.clip_probabilities is not None
        assert found.probabilities is not None
        if options.plot is not None:
            plot_video(Path(expanded(options.plot), f"{name}.png"), sample, found, names, top_k=options.top_k)
        if options.overlay is not None:
            path = Path(expanded(options.overlay), f"{name}.mp4")
            overlay_video(path, file, names, found.clip_times, found.clip_probabilities)
        if options.explain is not None:
            number = int(found.probabilities.argmax()) if self._class is None else self._class
            target = Path(expanded(options.explain), f"{name}.explained")
            evidence = predictor.evidence(sample, number)
            explain_video(target, file, sample, found, names, number, evidence, predictor.views)

    def _file(self, record: VideoRecord) -> VideoFile:
        from videogn.pictures.of_video import VideoFile

        return VideoFile(record, self._opener, self._options.decoder, self._options.frame_rate)

    def _explained(self, name: str | None) -> int | None:
        """Number of the class to explain; None for the best one of each video."""
        names = self._predictor.class_names
        if name is None or name in names:
            return None if name is None else names.index(name)
        raise ValueError(f"--explain-class must be a class of the network, got {name!r}{did_you_mean(name, names)}")


class _Recorder:
    """A predictor for timelines that keeps the windows of the video at hand."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.class_names = predictor.class_names
        self.windows: list[Window] = []

    def timeline(self, video: VideoRecord, **options: Any) -> Iterator[Window]:
        """See `Predictor.timeline`."""
        self.windows.clear()
        for window in self._predictor.timeline(video, **options):
            self.windows.append(window)
            yield window
