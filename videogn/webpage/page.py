"""The page: where a video is dropped, and where its classes, their course and the clips appear."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from typing import Any

import gradio as gr
import pandas as pd

from videogn.system.sizes import format_size
from videogn.webpage.answers import Answer

#: Seconds between looks for files of abandoned uploads, and the age at which these, and pictures, are deleted.
_DELETE = (60, 3600)
#: Visitors who may wait for their turn.
_MOST_WAITING = 20


def make_page(answer: Callable[[str], Answer], *, network: str, max_bytes: int, max_seconds: float) -> gr.Blocks:
    """Lay out the page. One video at a time is classified; its file is deleted as soon as it is.

    Args:
        answer: Function from the path of an uploaded file to what is shown of it.
        network: Name of the network, to be shown.
        max_bytes: Largest file, to be shown.
        max_seconds: Longest video, to be shown.
    """

    def show(path: str) -> tuple[Any, ...]:
        try:
            found = answer(path)
        finally:
            os.unlink(path)
        course = pd.DataFrame(found.course, columns=["second", "class", "probability"])
        shown = gr.Column(visible=bool(found.scores))
        # The field is emptied, for the next video.
        return None, _paragraph(found.said), shown, found.scores or None, course, found.clips

    with gr.Blocks(title="videogn", analytics_enabled=False, delete_cache=_DELETE) as page:
        gr.HTML(f"<h1>Classify a video</h1>{_paragraph(f'Network: {network}')}")
        video = gr.File(label=f"Video of up to {format_size(max_bytes)} and {max_seconds:g} s")
        said = gr.HTML(elem_id="said")
        with gr.Column(visible=False) as results:
            with gr.Row():
                classes = gr.Label(label="Classes", elem_id="classes")
                course = gr.LinePlot(
                    label="Clip by clip",
                    x="second",
                    y="probability",
                    color="class",
                    y_lim=[0, 1],
                    elem_id="course",
                )
            clips = gr.Gallery(label="Middle frames of the clips", columns=5, buttons=[], elem_id="clips")
        outputs = [video, said, results, classes, course, clips]
        video.upload(show, video, outputs, concurrency_limit=1, show_progress_on=said, api_visibility="private")
    return page.queue(max_size=_MOST_WAITING)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
