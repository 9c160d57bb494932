"""Signatures of many videos, in processes that can be killed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from videogn.axes import VideoRecord
from videogn.choices import FRAME_RATE
from videogn.data.records import Records
from videogn.system.killable import KillableProcess, ProcessDiedError, TimeLimitError
from videogn.system.killable_pool import work_through
from videogn.video.errors import VideoDecodeError

if TYPE_CHECKING:
    from videogn.video.signature import Signature

_MAKER = "videogn.video.signature:SignatureMaker"


def make_signatures(
    records: Records,
    *,
    timeout: float,
    workers: int,
    frame_rate: float = FRAME_RATE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Signature | None]:
    """Compute the signature of every video.

    Args:
        records: The videos.
        timeout: Seconds for one video; at most eight seconds of it are decoded, however long it is.
        workers: Number of videos at once.
        frame_rate: Frames per second of folders of images. Default: 25.
        progress: Called with (videos done, videos).

    Returns:
        The signatures in the order of the videos; None for a video that cannot be decoded, or not in time.

    Raises:
        OSError: If a process cannot be started.
    """

    def work(process: KillableProcess, task: tuple[int, VideoRecord]) -> Signature | None:
        _, record = task
        if record.error is not None:
            return None
        try:
            made: Signature = process.call("make", record, frame_rate, limit=timeout)
        except (VideoDecodeError, TimeLimitError, ProcessDiedError):
            return None
        return made

    made: list[Signature | None] = [None] * len(records)
    pool = work_through(_MAKER, work, enumerate(records), workers=min(workers, max(len(records), 1)))
    with closing(pool) as results:
        for done, ((place, _), found) in enumerate(results, 1):
            made[place] = found
            progress(done, len(records))
    return made
