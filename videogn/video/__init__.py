"""A path and frame indices to frames, clips and crops: everything that is done to one video file.

    decoders/     one table of the file's frames, and the decoders that read them: `decode_frames`, `open_video`
    integrity/    missing ends and damage of files, found in their bytes without a decoder
    integrity_report.py  check of a whole file, decoding included: `check_integrity`
    timeline, clips     the frames that clips are laid over, and the places of clips on them
    crops, window, transforms   crops of frames, resizing, and views as tensors
    storage       files, members of tar shards, and objects in a store
    encode, transcode   frames to a file, and a file to a smaller copy

Imports point one way: `decoders` knows `integrity`, which knows only bytes; all others may know both.
"""

from videogn.video.clips import clip_indices
from videogn.video.decoders.decode import decode_frames, open_video
from videogn.video.decoders.frame_table import FrameTable, VideoInfo, read_frame_table
from videogn.video.errors import VideoDecodeError

__all__ = [
    "FrameTable",
    "VideoDecodeError",
    "VideoInfo",
    "clip_indices",
    "decode_frames",
    "open_video",
    "read_frame_table",
]
