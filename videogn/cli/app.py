"""videogn app: a page in the browser that classifies videos."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videogn.checks import require_positive
from videogn.choices import PredictPrecisionName
from videogn.cli.predictor_settings import predictor_settings
from videogn.source_names import check_source
from videogn.system.displayable import one_line
from videogn.system.stopping import going_on

if TYPE_CHECKING:
    import gradio as gr


@dataclass(frozen=True, kw_only=True)
class Options:
    """Serve a page on which a video is dropped: its classes, their course over time, and the clips that were seen.

    Needs the extra `app`. Videos are classified one at a time, as `videogn predict` does, and deleted afterwards.
    Ctrl-C ends it.

    Attributes:
        checkpoint (SOURCE): Checkpoint of `videogn fit`, or a published network; as for `videogn predict`.
        host: Address that the page is served at. By default only this machine can reach it; 0.0.0.0 lets everyone in
            who can reach this machine, without a password.
        port: Port that the page is served at; 0 takes any that is free.
        max_mb (MIB): Largest file that is taken.
        max_seconds (SECONDS): Longest video that is taken.
        clips: Number of clips per video. By default as a published network was tested, for a checkpoint 10.
        top_k: Number of classes that are named for each video.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        precision: What the network computes in; as for `videogn predict`.
        trust (PACKAGE): Packages that may be imported if the checkpoint names a norm or a network from outside videogn.
    """

    checkpoint: str
    host: str = "127.0.0.1"
    port: int = 7860
    max_mb: float = 200.0
    max_seconds: float = 600.0
    clips: int | None = None
    top_k: int = 5
    device: str = "auto"
    precision: PredictPrecisionName = "32"
    trust: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Serve the page until the process is asked to end.

    Args:
        options: Options of the command.

    Returns:
        Exit status.

    Raises:
        ModuleNotFoundError: Gradio is not installed.
    """
    for name in ("max_mb", "max_seconds", "top_k"):
        require_positive(name, getattr(options, name))
    check_source(options.checkpoint)
    if importlib.util.find_spec("gradio") is None:
        raise ModuleNotFoundError("the page needs gradio: pip install 'videogn[app]'")
    from videogn.webpage.server import gradio_set_up, listening, serve

    with going_on("the page is no longer served"), listening(options.host, options.port) as listener, gradio_set_up():
        page = _page(options)
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"http://{host}:{listener.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        serve(page, listener, max_bytes=round(options.max_mb * 2**20))
    return 0


def _page(options: Options) -> gr.Blocks:
    from videogn.inference.predictor import Predictor
    from videogn.webpage.answers import Answering
    from videogn.webpage.page import make_page

    predictor = Predictor(options.checkpoint, **predictor_settings(options))
    return make_page(
        Answering(predictor, top_k=options.top_k, max_seconds=options.max_seconds),
        network=one_line(Path(options.checkpoint).name),
        max_mib=options.max_mb,
        max_seconds=options.max_seconds,
    )
