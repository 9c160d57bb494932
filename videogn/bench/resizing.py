"""What re-encoding a data set at the size of the network's input would bring: measured on copies of a few videos."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from videogn.axes import VideoRecord
from videogn.bench.stages import Variant, measure_stages
from videogn.bench.workload import Workload, spread
from videogn.system.killable import KillableProcess, ProcessDiedError, StartError, TimeLimitError
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import size
from videogn.video.transcode import CopySettings

#: As `videogn data resize` copies by default.
_CRF, _GOP = 18, 12
#: Seconds for one copy.
_LIMIT = 600.0


@dataclass(frozen=True)
class ResizeGain:
    """Loading videos as they are, against loading copies of them that are resized already.

    Attributes:
        videos: how many were copied.
        short_side: of the copies, pixels.
        source_s: seconds per video for opening, decoding and resizing.
        resized_s: the same for the copies.
        ratio: the first by the second.
        encode_s: seconds that making and verifying a copy took.
        source_bytes: size of a file, on average.
        resized_bytes: size of a copy, on average.
    """

    videos: int
    short_side: int
    source_s: float
    resized_s: float
    ratio: float
    encode_s: float
    source_bytes: int
    resized_bytes: int


def measure_resizing(workload: Workload, short_side: int, count: int, repeats: int) -> ResizeGain | None:
    """Make copies of a few videos in a temporary folder, as `videogn data resize` does, and load both.

    Args:
        workload: the videos, all of which decode, and the views.
        short_side: of the copies, pixels.
        count: how many videos to copy, evenly spread.
        repeats: of every time.

    Returns:
        The gain; None where no copy could be made.
    """
    with tempfile.TemporaryDirectory(prefix="videogn-") as folder:
        copies, seconds = _copy(spread(workload.records, count), Path(folder), short_side)
        if not copies:
            return None
        sources = tuple(copies)
        source, resized = (
            measure_stages(replace(workload, records=records), {"": Variant(workload.decoder)}, repeats=repeats)[""]
            for records in (sources, tuple(copies.values()))
        )
        if not resized.measured:
            return None
        sizes = [statistics.fmean(size(record.path) for record in records) for records in (sources, copies.values())]
    return ResizeGain(
        videos=len(copies),
        short_side=short_side,
        source_s=source.total_s,
        resized_s=resized.total_s,
        ratio=source.total_s / resized.total_s,
        encode_s=statistics.fmean(seconds),
        source_bytes=round(sizes[0]),
        resized_bytes=round(sizes[1]),
    )


def _copy(
    records: tuple[VideoRecord, ...], folder: Path, short_side: int
) -> tuple[dict[VideoRecord, VideoRecord], list[float]]:
    """Video -> its copy, for those that could be copied, and the seconds that each took."""
    settings = CopySettings(short_side=max(short_side // 2 * 2, 16), crf=_CRF, gop=_GOP)
    process = KillableProcess("videogn.video.transcode:Transcoder")
    copies, seconds = {}, []
    for number, record in enumerate(records):
        copy = folder / f"{number}.mp4"
        started = perf_counter()
        try:
            process.call("copy", record.path, str(copy), settings, limit=_LIMIT)
        except StartError:
            raise
        except (VideoDecodeError, OSError, TimeLimitError, ProcessDiedError):
            continue  # that it cannot be copied is for `videogn data resize` to tell
        seconds.append(perf_counter() - started)
        copies[record] = replace(record, path=str(copy), frames=None)
    process.close()
    return copies, seconds
