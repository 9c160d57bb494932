"""The pictures of `videogn predict`: --plot, --overlay and --explain."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from videogn.axes import Sample, VideoRecord
from videogn.checks import did_you_mean, expanded
from videogn.cli.exits import fail
from videogn.system.files import one_line

if TYPE_CHECKING:
    from videogn.inference.bulk.scoring import Predict
    from videogn.inference.prediction import Prediction
    from videogn.inference.predictor import Predictor

#: Number of videos that nobody looks at one by one.
_MANY = 1000


class PictureOptions(Protocol):
    """What the options of the command say about pictures, and about the videos they are of."""

    plot: str | None
    overlay: str | None
    explain: str | None
    explain_class: str | None
    compile: bool
    decoder: str
    frame_rate: float
    time_limit: float
    top_k: int
    workers: int | None
    batch_clips: int | None


def check_pictures(options: PictureOptions, total: int | None) -> None:
    """Check, before the seconds that the network takes to load, that pictures can be made; make their folders.

    Args:
        options: Options of the command.
        total: Number of videos, if it is known.

    Raises:
        ValueError: Options do not go together, or a folder is a file.
        ModuleNotFoundError: captum is not installed.
        OSError: A folder cannot be made.
    """
    folders = {"--plot": options.plot, "--overlay": options.overlay, "--explain": options.explain}
    for flag, name in folders.items():
        if name is None:
            continue
        folder = expanded(name)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{flag} must be a folder, got the file {name}")
        folder.mkdir(parents=True, exist_ok=True)
    if options.explain_class is not None and options.explain is None:
        raise ValueError("--explain-class is about the pictures of --explain DIR, and none is named")
    if options.explain is not None:
        if options.compile:
            raise ValueError("--explain takes gradients, which a compiled network lacks: leave out --compile")
        if importlib.util.find_spec("captum") is None:
            raise ModuleNotFoundError("--explain needs captum: pip install 'videogn[explain]'")
    if total is not None and total > _MANY and any(folders.values()):
        named = ", ".join(flag for flag, name in folders.items() if name)
        print(f"{named} makes a picture of each of {total:,} videos, which takes time and space", file=sys.stderr)


@contextmanager
def with_pictures(options: PictureOptions, predictor: Predictor, predict: Predict) -> Iterator[Predict]:
    """Yield the function that predicts; with pictures if they are asked for, of each video before the next one.

    Args:
        options: Options of the command.
        predictor: The predictor.
        predict: Its function that predicts without pictures.

    Raises:
        ValueError: The class to explain is none of the network's.
        SystemExit: A picture could not be made, which was said. Everything else is done.
    """
    if options.plot is None and options.overlay is None and options.explain is None:
        yield predict
        return
    pictures = _Pictures(options, predictor)
    yield pictures.predict
    if pictures.failed:
        fail(f"no picture of {pictures.failed} of the videos that were classified; see above", 1)


class _Pictures:
    """Classifies videos, and pictures each."""

    def __init__(self, options: PictureOptions, predictor: Predictor) -> None:
        from videogn.video.decoders.guard import video_opener

        self._options = options
        self._predictor = predictor
        self._opener = video_opener(options.time_limit, options.frame_rate)
        self._class = self._explained(options.explain_class)
        self.failed = 0

    def predict(self, videos: Iterable[VideoRecord]) -> Iterator[Prediction]:
        """Classify videos one by one: their frames are kept until the pictures are made."""
        options = self._options
        waiting: deque[VideoRecord] = deque()

        def taken() -> Iterator[VideoRecord]:
            for record in videos:
                waiting.append(record)
                yield record

        for sample in self._predictor.decode(taken(), workers=options.workers):
            record = waiting.popleft()
            for prediction in self._predictor.classify([sample], top_k=options.top_k, batch_clips=options.batch_clips):
                if prediction.error is None:
                    self._picture(record, sample, prediction)
                yield prediction

    def _picture(self, record: VideoRecord, sample: Sample, prediction: Prediction) -> None:
        from videogn.pictures.file_names import picture_name
        from videogn.pictures.of_video import VideoFile, explain_video, overlay_video, plot_video
        from videogn.video.errors import VideoDecodeError

        options, predictor = self._options, self._predictor
        classified = (prediction, predictor.class_names)
        file = VideoFile(record, self._opener, options.decoder, options.frame_rate)
        name = picture_name(prediction.path)
        try:
            if options.plot is not None:
                plot_video(expanded(options.plot) / f"{name}.png", sample, *classified, top_k=options.top_k)
            if options.overlay is not None:
                overlay_video(expanded(options.overlay) / f"{name}.mp4", file, *classified)
            if options.explain is not None:
                assert prediction.probabilities is not None
                number = int(prediction.probabilities.argmax()) if self._class is None else self._class
                evidence = predictor.evidence(sample, number)
                target = expanded(options.explain) / f"{name}.explained"
                explain_video(target, file, sample, *classified, number, evidence, predictor.views)
        except VideoDecodeError as error:  # where no clip was
            self.failed += 1
            print(f"{one_line(prediction.path)}: no picture: {error.reason}", file=sys.stderr)

    def _explained(self, name: str | None) -> int | None:
        """Number of the class to explain; None for the best one of each video."""
        names = self._predictor.class_names
        if name is None or name in names:
            return None if name is None else names.index(name)
        raise ValueError(f"--explain-class must be a class of the network, got {name!r}{did_you_mean(name, names)}")
