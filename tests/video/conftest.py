"""Video files, each made once a session and only when a test asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from video_files import BROKEN, RISKY, SAFE

MakeVideo = Callable[[str], Path]


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    """Name of a file in `video_files.SAFE`, `RISKY` or `BROKEN` -> its path."""
    made: dict[str, Path] = {}
    makers = SAFE | {name: entry[0] for name, entry in (RISKY | BROKEN).items()}

    def make(name: str) -> Path:
        if name not in made:
            path = tmp_path_factory.mktemp("video") / name
            makers[name](path)
            made[name] = path
        return made[name]

    return make
