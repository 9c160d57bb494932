"""Names of files that are made of a video: readable, safe, and different for every video."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

#: Most letters of a video's name that such a file keeps.
_LETTERS = 50
#: Letters of a name that stay, beside letters and digits of any script.
_KEPT = frozenset("._-=,")


def safe_name(video: str) -> str:
    """Return the name, without a suffix, for the files of a video. It is the same in every run.

    Args:
        video: Path of the video, as in a prediction: absolute or not, perhaps with "#t=5.4,11.6".

    Returns:
        The last part of the path without what a file system or a shell might not like, and eight digits of a hash of
        all of it, since videos in several folders may have one name.

    Example:
        >>> safe_name("/clips/no. 1/a b.mp4#t=5,11.5")
        'a_b.mp4_t=5,11.5.89b64b1d'
    """
    last = os.path.basename(video.rstrip("/\\")) or "video"
    safe = "".join(letter if letter.isalnum() or letter in _KEPT else "_" for letter in last)[:_LETTERS]
    digest = hashlib.sha256(_whole(video).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{safe.lstrip('.-') or 'video'}.{digest}"


def _whole(video: str) -> str:
    """The path from the root on; a URL stays as it is."""
    return video if "://" in video else str(Path.cwd() / video)
