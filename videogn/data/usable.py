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
    _refuse_if_none(index, errors, split)
    lost = len(errors) - errors.null_count
    if not lost:
        return index
    what, example = _reasons(index, errors)
    _log.warning("%s: %d of %d videos are %s, for instance %s", split, lost, len(index), what, example)
    return replace(index, records=index.records.take(usable))


def refuse_unusable(index: VideoIndex, split: str) -> None:
    """Refuse a split without any usable video.

    Args:
        index: Index of the split.
        split: Name of the split, for messages.

    Raises:
        ValueError: If it has none.
    """
    _refuse_if_none(index, index.errors(), split)


def _refuse_if_none(index: VideoIndex, errors: pa.Array, split: str) -> None:
    if len(errors) and not errors.null_count:
        what, example = _reasons(index, errors)
        hint = backslash_hint(example) or "is root right?"
        raise ValueError(f"all {len(index)} {split} videos are {what}, for instance {example}; {hint}")


def _reasons(index: VideoIndex, errors: pa.Array) -> tuple[str, str]:
    """Why videos are unusable, with counts, and the path of the first."""
    statuses = Counter(error.split(":")[0] for error in errors.drop_null().to_pylist())
    known = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    what = "missing" if set(statuses) == {"missing"} else f"unusable ({known})"
    return what, index.records[pc.index(pc.is_null(errors), False).as_py()].path


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
