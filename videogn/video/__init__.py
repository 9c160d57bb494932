"""A video file becomes frames, and frames become clips."""

from videogn.video.clips import clip_indices
from videogn.video.decoders.decode import VideoDecodeError, VideoInfo, decode_frames, open_video, probe

__all__ = ["VideoDecodeError", "VideoInfo", "clip_indices", "decode_frames", "open_video", "probe"]
