"""Every suffix that is searched for, as a real file where PyAV can write one, decodes; other files are counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from videogn.data.left_out import HIDDEN, NO_SUFFIX
from videogn.data.video_files import VIDEO_SUFFIXES, find_videos, walk_videos
from videogn.video.decoders.decode import open_video

# Container, codec, size and pixel format of the files of some suffixes. The last ones are raw streams.
KINDS = [
    (
        ".mp4 .m4v .mov .qt .f4v .3gp .3gpp .3g2 .3gp2 .ismv .mp4v .insv .lrv .360",
        "mp4",
        "libx264",
        (64, 48),
        "yuv420p",
    ),
    (".mkv .mk3d .webm", "matroska", "libx264", (64, 48), "yuv420p"),
    (".avi .divx .xvid", "avi", "mpeg4", (64, 48), "yuv420p"),
    (".ts .mts .m2ts .m2t .tp .trp .tod", "mpegts", "libx264", (64, 48), "yuv420p"),
    (".mpg .mpeg .mpe .m2p .mod .vro .evo", "mpeg", "mpeg2video", (64, 48), "yuv420p"),
    (".vob", "vob", "mpeg2video", (64, 48), "yuv420p"),
    (".flv", "flv", "flv1", (64, 48), "yuv420p"),
    (".swf", "swf", "flv1", (64, 48), "yuv420p"),
    (".wmv .asf .wm .dvr-ms", "asf", "wmv2", (64, 48), "yuv420p"),
    (".wtv", "wtv", "mpeg2video", (64, 48), "yuv420p"),
    (".ogv .ogm .ogx", "ogg", "libvpx", (64, 48), "yuv420p"),
    (".rm .rmvb", "rm", "rv10", (176, 144), "yuv420p"),
    (".gif", "gif", "gif", (64, 48), "rgb8"),
    (".mxf", "mxf", "mpeg2video", (64, 48), "yuv420p"),
    (".gxf", "gxf", "mpeg2video", (720, 576), "yuv420p"),
    (".dv .dif", "dv", "dvvideo", (720, 576), "yuv420p"),
    (".nut", "nut", "mpeg4", (64, 48), "yuv420p"),
    (".ivf", "ivf", "libvpx", (64, 48), "yuv420p"),
    (".mj2 .mjp2", "mp4", "jpeg2000", (64, 48), "yuv420p"),
    (".h264 .264 .avc", "h264", "libx264", (64, 48), "yuv420p"),
    (".h265 .265 .hevc", "hevc", "libx265", (64, 48), "yuv420p"),
    (".av1 .obu", "obu", "libsvtav1", (64, 64), "yuv420p"),
    (".m1v", "mpeg1video", "mpeg1video", (64, 48), "yuv420p"),
    (".m2v .mp2v .mpv .mpv2", "mpeg2video", "mpeg2video", (64, 48), "yuv420p"),
    (".m4e", "m4v", "mpeg4", (64, 48), "yuv420p"),
    (".h261", "h261", "h261", (176, 144), "yuv420p"),
    (".h263", "h263", "h263", (176, 144), "yuv420p"),
    (".mjpeg .mjpg", "mjpeg", "mjpeg", (64, 48), "yuvj420p"),
    (".y4m", "yuv4mpegpipe", "rawvideo", (64, 48), "yuv420p"),
]
#: For which PyAV's FFmpeg has no encoder or no muxer without sound.
UNWRITABLE = {".amv", ".nsv", ".nuv", ".viv", ".roq", ".flc", ".fli", ".h266", ".266", ".vvc", ".vc1", ".cavs", ".drc"}


def _encode(path: Path, container: str, codec: str, size: tuple[int, int], pixels: str) -> None:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        for number in range(12):
            picture = np.full((size[1], size[0], 3), 40 + 10 * number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())


def test_every_suffix_is_tried_or_known_to_be_unwritable():
    written = [suffix for suffixes, *_ in KINDS for suffix in suffixes.split()]
    assert len(written) == len(set(written))
    assert set(written) | UNWRITABLE == set(VIDEO_SUFFIXES)
    assert len(set(VIDEO_SUFFIXES)) == len(VIDEO_SUFFIXES)


@pytest.mark.parametrize("kind", KINDS, ids=[kind[0].split()[0] for kind in KINDS])
def test_files_of_a_suffix_decode(tmp_path, kind):
    suffixes, *how = kind
    first, *others = [tmp_path / f"v{suffix}" for suffix in suffixes.split()]
    try:
        _encode(first, *how)
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        pytest.skip(f"this FFmpeg cannot write it: {error}")
    for other in others:
        other.write_bytes(first.read_bytes())
    assert find_videos(tmp_path) == sorted(str(path) for path in (first, *others))
    for path in (first, *others):
        with open_video(path) as video:
            assert video.info.frames == 12
            frames = video.frames(np.arange(12))
        # Every picture is uniform and brighter than the one before.
        assert np.all(np.diff(frames.mean((1, 2, 3))) > 2)


def test_what_is_no_video_is_counted(tmp_path):
    for name in (
        *("a.mp4", "a.json", "a.info.json", "a.mp4.pose", "b.xyz", "B.XYZ", "c.mp4.part", "readme", "thumb.jpg"),
        *(".hidden.mp4", "._a.mp4", ".DS_Store", "@eaDir/a.mp4/x.jpg", "__MACOSX/._a.mp4", "__macosx/b.mp4"),
        *("System Volume Information/x.mp4", "$RECYCLE.BIN/x.mp4", "lost+found/x.mp4", "#recycle/x.mp4", ".git/x.mp4"),
        *("deep/d.mkv", "deep/e.xyz"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    left_out: Counter[str] = Counter()
    found = [Path(path).name for path in walk_videos(str(tmp_path), left_out=left_out)]
    assert found == ["a.mp4", "d.mkv"]
    assert left_out == {".xyz": 3, ".part": 1, NO_SUFFIX: 1, ".jpg": 1, HIDDEN: 1}


def test_a_folder_without_videos_says_what_it_has(tmp_path):
    (tmp_path / "a.xyz").touch()
    (tmp_path / "b.jpg").touch()
    (tmp_path / "c.jpg").touch()
    with pytest.raises(ValueError, match=r"no video in .*: only 2 \.jpg, 1 \.xyz \(videos end in \.mp4"):
        find_videos(tmp_path)
