"""Files with random damage: whatever they hold, decoding gives frames or the one error, and ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from videogn.indexing.catalogue import STATUSES
from videogn.system.killable import KillableProcess
from videogn.video import open_video
from videogn.video.decoders.readers import check_decoder
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity_report import check_integrity

#: Seconds; a file takes a few hundredths.
LIMIT = 60.0
#: Loading torchcodec takes longer than all the rest.
TRIED = ("pyav", "decord")
NAMES = ("gop12.mp4", "h264.mkv", "mpegts.ts", "vp8.webm", "vp9.webm", "mpeg4.avi", "open_gop_hevc.mp4", "flash.flv")


class Victim:
    """Decodes damaged files in a process that may be lost."""

    def try_all(self, path: str) -> list[str]:
        """The outcome of each decoder and of the check; raises what must not be raised."""
        return [check_integrity(path).status, *(self._try(path, decoder) for decoder in TRIED if _installed(decoder))]

    def _try(self, path: str, decoder: str) -> str:
        try:
            with open_video(path, decoder) as opened:
                frames = opened.frames(np.unique(np.linspace(0, opened.info.frames - 1, 8).astype(int)))
        except VideoDecodeError as error:
            return f"refused: {error.reason}"
        assert frames.shape[1:] == (opened.info.height, opened.info.width, 3)
        return "decoded"


def _installed(decoder: str) -> bool:
    try:
        check_decoder(decoder)
    except ValueError:
        return False
    return True


def damaged(data: bytes, draw: random.Random) -> Iterator[bytes]:
    for part in (0.02, 0.3, 0.7, 0.99):
        yield data[: int(len(data) * part)]
    for count in (1, 30):
        flipped = bytearray(data)
        for _ in range(count):
            flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        yield bytes(flipped)
    for length in (100, 2000):
        start = draw.randrange(max(1, len(data) - length))
        yield data[:start] + bytes(len(data[start : start + length])) + data[start + length :]
        yield data[:start] + data[start + length :]
    yield draw.randbytes(300) + data[300:]
    yield data[: len(data) // 2] + draw.randbytes(len(data) // 2)


@pytest.mark.parametrize("name", NAMES)
def test_damage_of_every_kind(video, tmp_path, name):
    source = video(name)
    path = tmp_path / f"damaged{Path(name).suffix}"
    process = KillableProcess("test_fuzz:Victim")
    outcomes = []
    try:
        for data in damaged(source.read_bytes(), random.Random(name)):
            path.write_bytes(data)
            outcomes.append(process.call("try_all", str(path), limit=LIMIT))
    finally:
        process.close()
    statuses = {status for status, *_ in outcomes}
    assert statuses <= set(STATUSES)
    assert "corrupt" in statuses
    results = [result for _, *decoded in outcomes for result in decoded]
    assert {result.partition(":")[0] for result in results} == {"decoded", "refused"}
    assert not any("\n" in result for result in results)
