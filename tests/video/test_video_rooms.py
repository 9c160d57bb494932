"""The rooms of `videogn.video`: imports point one way, and decoding loads no more than it needs."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from video_files import H264, numbered, write

import videogn.video
from videogn.video.decoders.readers import DECODERS, READERS, reader_class
from videogn.video.integrity import CONTAINERS

ROOM = Path(videogn.video.__file__).parent
#: Modules of videogn, packages included, that decoding a path loads. FFmpeg's bindings and numpy come on top.
MOST_MODULES = 24


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(
    ("room", "others"),
    [("integrity", {"storage", "errors"}), ("decoders", {"storage", "errors", "held_file"})],
)
def test_imports_between_the_rooms_point_one_way(room, others):
    """`integrity` knows bytes only; `decoders` knows `integrity`; neither knows the rest."""
    allowed = {f"videogn.video.{name}" for name in others}
    rooms = ("videogn.video.integrity", "videogn.video.decoders")[: 1 if room == "integrity" else 2]
    for path in (ROOM / room).glob("*.py"):
        inside = {name for name in _imports(path) if name.startswith("videogn.video")}
        assert all(name in allowed or name.startswith(rooms) for name in inside), path.name


def _loaded(code: str, *arguments: str) -> list[str]:
    """Modules that a fresh interpreter has loaded after some code."""
    code += "; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    modules: list[str] = json.loads(done.stdout)
    return modules


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_decoding_loads_few_modules_and_no_torch(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", numbered(4), options=H264)
    code = "import sys; from videogn.video import decode_frames; assert len(decode_frames(sys.argv[1], [0, 3])) == 2"
    modules = _loaded(code, str(path))
    own = [name for name in modules if name.partition(".")[0] == "videogn"]
    assert len(own) <= MOST_MODULES + (suffix == ".mkv"), own
    assert not {"torch", "decord", "torchcodec", "pyarrow"} & set(modules)
    assert {name for name in own if name.startswith("videogn.video.integrity.")} == (
        {"videogn.video.integrity.matroska"} if suffix == ".mkv" else set()
    )


def test_every_container_has_both_questions():
    modules = {path.stem for path in (ROOM / "integrity").glob("*.py")} - {"__init__"}
    assert set(CONTAINERS) == modules
    for name in modules:
        module = importlib.import_module(f"videogn.video.integrity.{name}")
        assert callable(module.end)
        assert callable(module.damage)


@pytest.mark.parametrize("decoder", READERS)
def test_every_decoder_has_a_reader(decoder):
    reader = reader_class(decoder)
    problem = reader.problem()
    assert problem is None or decoder in problem
    assert callable(reader.read)
    assert callable(reader.close)
    assert decoder in DECODERS
