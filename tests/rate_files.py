"""One scene in files of several rates: the grey level of a frame says when it is displayed."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

#: Seconds of the scene in every file.
LASTS = 2
#: Grey levels per second.
LEVELS = 100


def write_at(path: Path, seconds: Iterable[float | Fraction]) -> None:
    """Write a file of 32 x 32 with a frame at each of these times, increasing from 0."""
    seconds, tick = list(seconds), Fraction(1, 90_000)
    rate = round((len(seconds) - 1) / seconds[-1])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate or 1, options={"crf": "1", "bf": "2", "preset": "ultrafast"})
        stream.width = stream.height = 32
        stream.codec_context.time_base = stream.time_base = tick
        for second in seconds:
            grey = np.full((32, 32, 3), round(LEVELS * second) % 256, np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="rgb24")
            picture.pts, picture.time_base = round(second / tick), tick
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def write_scene(folder: Path) -> dict[tuple[str, str], str]:
    """Write the scene at four rates and unevenly, each as mp4 and as Matroska, which rounds times to milliseconds.

    Returns:
        Paths by the rate, "10" to "60" or "uneven", and the suffix.
    """
    times: dict[str, list[float | Fraction]] = {
        str(rate): [Fraction(k, rate) for k in range(rate * LASTS)] for rate in (10, 25, 30, 60)
    }
    between = np.random.default_rng(0).choice(np.arange(5, 1970, 5), 78, replace=False)
    times["uneven"] = [0.0, *(np.sort(between) / 1000).tolist(), LASTS - 0.025]  # 80 frames: 0.025 s each on average
    paths = {}
    for name, seconds in times.items():
        for suffix in ("mp4", "mkv"):
            paths[name, suffix] = str(folder / f"{name}.{suffix}")
            write_at(Path(paths[name, suffix]), seconds)
    return paths
