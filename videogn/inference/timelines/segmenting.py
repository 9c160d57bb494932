"""Long videos to labelled segments, one after the other; a bad file gives a result with an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videogn.axes import VideoRecord
from videogn.data.stored_paths import stored_path
from videogn.inference.timelines.labelling import LabelledSegment, label_segments
from videogn.inference.timelines.window import Window
from videogn.inference.timelines.window_file import writing_windows
from videogn.system.safe_names import safe_name
from videogn.video.errors import VideoDecodeError

if TYPE_CHECKING:
    from videogn.inference.predictor import Predictor


@dataclass(frozen=True)
class VideoSegments:
    """Segments of one file, or of a part of it.

    Attributes:
        path: Path of the file; of a part with its place, as in "a.mp4#t=60,120".
        segments: Segments in the order of time.
        error: Reason why the file failed, or None.
        fallback: Reason why PyAV decoded the file and not the decoder that was asked for, or None.
        truncated: Up to where the file was scored, and why not to its end; or None.
    """

    path: str
    segments: tuple[LabelledSegment, ...] = ()
    error: str | None = None
    fallback: str | None = None
    truncated: str | None = None


@dataclass(frozen=True)
class Segmenting:
    """Scores videos along their timelines.

    Attributes:
        predictor: Predictor.
        stride: Seconds from one clip to the next.
        smooth: As for `label_segments`; so are the next two.
        min_length: Shortest segment, in seconds.
        min_score: Probability below which a window has no class.
        batch_clips: As for `Predictor.timeline`.
        folder: Folder for the probabilities of all windows, one file a video; None writes none.
        watch: Function that is told the second up to which the video at hand is scored.
    """

    predictor: Predictor
    stride: float
    smooth: float
    min_length: float
    min_score: float
    batch_clips: int | None = None
    folder: Path | None = None
    watch: Callable[[float], None] = lambda _: None

    def __call__(self, videos: Iterable[VideoRecord]) -> Iterator[VideoSegments]:
        """Score videos in order.

        Args:
            videos: Records, taken as they are needed.

        Yields:
            One result a video.
        """
        return map(self._segments, videos)

    def _segments(self, record: VideoRecord) -> VideoSegments:
        scored = _Scored()
        with ExitStack() as files:
            windows = scored.windows(self.predictor.timeline(record, stride=self.stride, batch_clips=self.batch_clips))
            first = next(windows, None)
            if first is None:
                return VideoSegments(record.name, error=scored.failure)
            write: Callable[[Window], None] = lambda _: None  # noqa: E731
            if self.folder is not None:
                path = stored_path(record.name)
                names = self.predictor.class_names
                write = files.enter_context(writing_windows(self.folder / f"{safe_name(path)}.parquet", path, names))

            def watched() -> Iterator[Window]:
                window: Window | None = first
                while window is not None:
                    write(window)
                    self.watch(window.end)
                    yield window
                    window = next(windows, None)

            segments = label_segments(
                watched(),
                self.predictor.class_names,
                smooth=self.smooth,
                min_length=self.min_length,
                min_score=self.min_score,
            )
        truncated = None if scored.failure is None else f"scored up to {scored.end:.1f} s: {scored.failure}"
        return VideoSegments(record.name, tuple(segments), None, first.fallback, truncated)


@dataclass
class _Scored:
    """How far a video was scored, and why not further."""

    end: float = 0.0
    failure: str | None = None

    def windows(self, windows: Iterable[Window]) -> Iterator[Window]:
        try:
            for window in windows:
                self.end = window.end
                yield window
        except VideoDecodeError as error:
            self.failure = error.reason
