"""`videogn app`: what it refuses, and its page in a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video

needs_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="gradio is not installed")


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    names = ["jump", "<b>run</b>", "sit"]
    task = VideoClassifier("i3d_tiny", class_names=names, clip_length=4, crop_size=32, short_side=32)
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, tmp_path / "tiny.ckpt")
    return tmp_path / "tiny.ckpt"


def test_without_gradio_the_extra_is_named(videogn, checkpoint, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert videogn("app", "--checkpoint", str(checkpoint)) == 2
    assert capsys.readouterr().err == "videogn: error: the page needs gradio: pip install 'videogn[app]'\n"


@needs_gradio
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--port", "70000"], "port must be between 0 and 65535, got 70000"),
        (["--host", "192.0.2.1"], "host '192.0.2.1' is no address of this machine; 127.0.0.1 and 0.0.0.0 are"),
        (["--max-mb", "0"], "max_mb must be > 0, got 0.0"),
        (["--top-k", "0"], "top_k must be > 0, got 0"),
    ],
)
def test_wrong_options_are_refused_in_one_line(videogn, checkpoint, capsys, options, reason):
    assert videogn("app", "--checkpoint", str(checkpoint), *options) == 2
    assert capsys.readouterr().err == f"videogn: error: {reason}\n"


@needs_gradio
def test_a_port_in_use_is_named(videogn, checkpoint, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert videogn("app", "--checkpoint", str(checkpoint), "--port", str(port)) == 2
    assert capsys.readouterr().err == (
        f"videogn: error: port {port} of 127.0.0.1 is in use: name another one with --port\n"
    )


@contextmanager
def serving(checkpoint: Path, temporary: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The page's address and its process, which keeps what it holds for visitors in a folder."""
    command = [sys.executable, "-m", "videogn", "app", "--checkpoint", str(checkpoint), "--device", "cpu", "--port=0"]
    limits = ["--clips", "2", "--max-mb", "0.1", "--max-seconds", "5"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0], process
    finally:
        process.kill()
        process.communicate()


@needs_gradio
@pytest.mark.slow
def test_in_a_browser(checkpoint, tmp_path):
    """A video, and a text named like one: classes, a sentence, no request that leaves this machine, no file left."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("there is no Chromium")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    write_video(tmp_path / "a & b.mp4", np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), np.uint8))
    (tmp_path / "text.mp4").write_text("no video " * 99)
    (tmp_path / "large.mp4").write_bytes(bytes(2**17))
    with serving(checkpoint, temporary) as (url, process), playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.set_default_timeout(60_000)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)

        def upload(name: str) -> None:
            page.set_input_files("input[type=file]", tmp_path / name)

        upload("a & b.mp4")
        page.get_by_text("a & b.mp4: 0.7 s, seen in 2 clips").wait_for()
        page.locator("#classes").get_by_text("<b>run</b>").first.wait_for()
        assert page.locator("#classes").inner_text().count("%") == 3
        page.locator("#clips img").nth(1).wait_for()
        page.get_by_label("probability").first.wait_for()  # the plot
        assert page.evaluate("document.documentElement.scrollWidth") == 400

        upload("text.mp4")
        page.get_by_text("text.mp4: not a readable video").wait_for()
        page.locator("#classes").wait_for(state="hidden")
        upload("large.mp4")
        page.get_by_text("exceed the maximum allowed size").wait_for()

        assert [path for path in temporary.rglob("*") if path.is_file() and path.stat().st_size] == []
        foreign = [sent for sent in requests if not sent.startswith((url, "data:", "blob:"))]
        assert foreign == []
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert list(temporary.iterdir()) == []
        browser.close()
