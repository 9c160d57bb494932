"""Mutants of real files, bytes and boxes: the checks of containers, and decoding in a process that is lost at worst."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from fuzzing import fuzzed, most_memory, mutants
from hypothesis import strategies as st

from videogn.indexing.catalogue import STATUSES
from videogn.system.killable import KillableProcess
from videogn.video import open_video
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity import CONTAINERS, damage, is_cut
from videogn.video.integrity_report import check_integrity
from videogn.video.storage import read_source

_LIMIT = 60.0
#: Bytes that the process may take at its peak; 48 x 64 pixels take none to speak of.
_MOST = 2e9
#: Suffix -> codec of its file.
_CODECS = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx", "avi": "mpeg4", "ts": "libx264", "flv": "flv"}
#: FFmpeg's names of the formats.
_FORMATS = {
    "mp4": "mov,mp4,m4a",
    "mkv": "matroska,webm",
    "webm": "matroska,webm",
    "avi": "avi",
    "ts": "mpegts",
    "flv": "flv",
}
#: What begins a part of a file; four bytes before it are the length of a box.
_PARTS = {
    "mp4": rb"....(?:ftyp|moov|mdat|trak|mdia|minf|stbl|stsd|stts|stss|ctts|stsc|stsz|stco|edts|elst|mvhd|tkhd|free)",
    "mkv": rb"\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x1f\x43\xb6\x75|\x16\x54\xae\x6b|\x15\x49\xa9\x66|\xa3",
    "ts": rb"\x47[\x00-\x5f]",
    "webm": rb"\x18\x53\x80\x67|\x1f\x43\xb6\x75|\x16\x54\xae\x6b|\x1c\x53\xbb\x6b|\xa3|\xae|\xe7",
    "avi": rb"RIFF|LIST|JUNK|avih|strh|strf|movi|idx1|00dc",
    "flv": rb"FLV\x01|\x09\x00",
}
_INSERTS = (
    b"\xff" * 4, b"\xff" * 8, b"\0" * 8, b"\0\0\0\1mdat" + b"\xff" * 8, b"\0\0\0\x08free", b"\0\0\0\0moov",
    b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7, b"\xec\xff", b"\xa3\x81", b"\x47\x1f\xff\x10", b"\x47\x00\x00\xff",
    b"\x7f\xff\xff\xff", b"LIST\xff\xff\xff\xff", b"00dc\0\0\0\0", b"\x80\0\0\0", b"\0\0\1", b"\0\0\0\1\x67",
)  # fmt: skip


def mutants_of(data: bytes, kind: str) -> st.SearchStrategy[bytes]:
    """Mutants whose changes lie anywhere, or begin and end where parts do."""
    places = [found.start() for found in re.finditer(_PARTS[kind], data, re.DOTALL)]
    return mutants(data, inserts=_INSERTS) | mutants(data, inserts=_INSERTS, places=places)


class Victim:
    """Checks and decodes files in a process that may be lost."""

    def watch(self, path: str) -> tuple[str, str, int]:
        """The status, what decoding came to, and the most memory so far; raises what must not be raised."""
        report = check_integrity(path)
        assert len(report.reason.splitlines()) <= 1
        return report.status, self._decode(path), most_memory()

    def _decode(self, path: str) -> str:
        try:
            with open_video(path) as opened:
                wanted = np.unique(np.linspace(0, opened.info.frames - 1, 6).astype(int))
                frames = opened.frames(wanted)
        except VideoDecodeError as error:
            reason = error.reason
        else:
            assert frames.shape == (len(wanted), opened.info.height, opened.info.width, 3)
            return "decoded"
        assert len(reason.splitlines()) == 1
        return "refused"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Suffix -> a video of 12 frames in that container."""
    folder = tmp_path_factory.mktemp("whole")
    return {suffix: _encoded(folder / f"a.{suffix}", codec) for suffix, codec in _CODECS.items()}


def _encoded(path: Path, codec: str) -> bytes:
    drawn = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for picture in drawn:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="module")
def process() -> Iterator[KillableProcess]:
    process = KillableProcess("test_fuzz_videos:Victim")
    yield process
    process.close()


@pytest.mark.parametrize("kind", _FORMATS)
@fuzzed(0.2, data=st.data())
def test_decoding_of_mutants(process, files, tmp_path, kind, data):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data.draw(mutants_of(files[kind], kind)))
    status, decoded, most = process.call("watch", str(path), limit=_LIMIT)
    assert status in STATUSES
    assert decoded == "decoded" or status != "ok"
    assert most < _MOST


@pytest.mark.parametrize("kind", _FORMATS)
@fuzzed(data=st.data())
def test_containers_of_mutants(files, tmp_path, kind, data):
    _check(tmp_path / f"a.{kind}", data.draw(mutants_of(files[kind], kind)), _FORMATS[kind])


@pytest.mark.parametrize("kind", CONTAINERS)
@fuzzed(0.5, data=st.data())
def test_containers_of_other_files(files, tmp_path, kind, data):
    """Each check is asked about files of all formats, and of none."""
    other = data.draw(st.sampled_from(sorted(files)))
    _check(tmp_path / "a.mp4", data.draw(st.binary(max_size=200) | mutants_of(files[other], other)), kind)


def _check(path: Path, data: bytes, formats: str) -> None:
    path.write_bytes(data or b"\0")  # an empty file is refused before
    source = read_source(path)
    assert is_cut(source, formats) in (True, False)
    assert all(len(found.what.splitlines()) == 1 for found in damage(source, formats))
