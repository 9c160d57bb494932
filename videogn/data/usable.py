"""The usable training videos, the same in every process."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from videogn.data.video_index import VideoIndex
from videogn.data.windows_paths import backslash_hint
from videogn.system.ranks import of_all_processes, world_size

_log = logging.getLogger(__name__)


def without_missing(index: VideoIndex, split: str) -> VideoIndex:
    """Leave out the unusable videos, with a warning that counts them. For training only; a test counts them as failed.

    Args:
        index: Index of the split.
        split: Name of the split, for messages.

    Returns:
        The index of the videos that exist and are usable according to its records.

    Raises:
        ValueError: If no video is left, or the processes see different videos; in all of them at once.
    """
    errors = index.errors()
    usable = pc.is_null(errors)
    _check_all_see_the_same(index, usable, split)
    if not errors.null_count < len(errors):
        return index
    statuses = Counter(error.split(":")[0] for error in errors.drop_null().to_pylist())
    example = index.records[pc.index(usable, False).as_py()].path
    lost = len(errors) - errors.null_count
    known = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    what = "missing" if set(statuses) == {"missing"} else f"unusable ({known})"
    if lost == len(index):
        raise ValueError(f"all {lost} {split} videos are {what}, for instance {example}; {_hint(example)}")
    _log.warning("%s: %d of %d videos are %s, for instance %s", split, lost, len(index), what, example)
    return replace(index, records=index.records.take(usable))


def _hint(path: str) -> str:
    return backslash_hint(path) or "is root right?"


def _check_all_see_the_same(index: VideoIndex, usable: pa.Array, split: str) -> None:
    """Processes on machines with different disks would divide different lists, and wait for one another forever."""
    if world_size() == 1:
        return
    content = hashlib.sha256(usable.to_numpy(zero_copy_only=False).tobytes())
    content.update(b"\n".join(index.relative_paths().to_pylist()))
    seen = of_all_processes((pc.sum(usable).as_py() or 0, content.hexdigest()))
    if len(set(seen)) > 1:
        counts = ", ".join(str(count) for count, _ in seen)
        raise ValueError(
            f"the processes do not see the same {split} videos (usable in each: {counts}): give every machine the same "
            "files, or one list for all of them, made with `videogn data index`"
        )
