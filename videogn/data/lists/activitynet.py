"""ActivityNet, HACS, THUMOS and the like: JSON of videos with annotated parts. Kinetics' JSON has the same shape."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from videogn.axes import Segment
from videogn.data.layouts import Row
from videogn.data.lists.kinetics import kinetics_rows
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import find_by_name

_log = logging.getLogger(__name__)


def is_activitynet(content: Any) -> bool:
    """Whether JSON maps ids to videos with annotations, in "database" or at once."""
    return isinstance(content, dict) and _is_video(next(iter(_videos(content).values()), None))


def read_activitynet(file: ListFile, content: Any) -> Listed:
    """Read annotated parts of videos: one row for each annotation, in seconds.

    A video of id X is a file named X or v_X. Where a video has one annotation that is no list, as in Kinetics' JSON,
    the files are cut already, and named X_000010_000020.

    Returns:
        The rows with their splits; a video for testing has one row without a label. Parts that end before they start
        are left out with a warning.

    Raises:
        ValueError: If an annotation is wrong.
    """
    videos = _videos(content)
    if any(isinstance(video.get("annotations"), dict) for video in videos.values() if isinstance(video, dict)):
        return Listed(kinetics_rows(_cut_videos(file, videos), file.root))
    found = find_by_name(file.root, {name for key in videos for name in (key, f"v_{key}")})
    rows = []
    for key, video in videos.items():
        path = found.get(f"v_{key}") or found.get(key) or str(file.root / f"v_{key}.mp4")
        where = f"{file.source}, video {key}"
        if not _is_video(video):
            raise ValueError(f"{where}: expected a subset and annotations, got {video!r:.80}")
        split = str(video.get("subset", "")).lower() or None
        rows += [Row(path, label, where, segment=segment, split=split) for label, segment in _parts(video, where)]
    return Listed(rows)


def _parts(video: Mapping[str, Any], where: str) -> Iterator[tuple[str | None, Segment | None]]:
    annotations = video.get("annotations") or []
    if not isinstance(annotations, list):
        raise ValueError(f"{where}: expected a list of annotations, got {annotations!r:.80}")
    if not annotations and str(video.get("subset", "")).lower().startswith("test"):
        yield None, None
    for annotation in annotations:
        try:
            start, end = map(float, annotation["segment"])
            label = str(annotation["label"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{where}: the annotation {annotation!r:.80}; expected a label and a segment of two times in seconds"
            ) from None
        if 0 <= start < end:
            yield label, Segment(start, end)
        else:  # annotators err, and nobody can mend the official file
            _log.warning("%s: a part from %g to %g s is left out; its end must come after its start", where, start, end)


def _cut_videos(file: ListFile, videos: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    for key, video in videos.items():
        where = f"{file.source}, video {key}"
        try:
            annotation = video["annotations"]
            start, end = annotation["segment"]
            label = annotation.get("label", "")
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(f"{where}: expected an annotation with a segment, got {video!r:.80}") from None
        columns = {"youtube_id": key, "time_start": str(start), "time_end": str(end)}
        yield {**columns, "label": label, "split": str(video.get("subset", ""))}, where


def _videos(content: Mapping[str, Any]) -> Mapping[str, Any]:
    database = content.get("database", content)
    return database if isinstance(database, dict) else {}


def _is_video(entry: Any) -> bool:
    return isinstance(entry, dict) and bool({"annotations", "subset"} & entry.keys())
