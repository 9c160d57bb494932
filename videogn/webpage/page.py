"""The page: where a video is dropped, and where its classes, their course and the clips appear."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from videogn.webpage.answers import Answer
from videogn.webpage.upload import take_uploads_only

#: Seconds between looks for uploads that nobody waited for, and the age at which these are deleted.
_DELETE = (60, 3600)
#: Visitors who may wait for their turn.
_MOST_WAITING = 20
#: Least width, in pixels, that classes and their course need side by side; on a narrower screen they are stacked.
_MIN_WIDTH = 320
#: Colours of the best classes; of others the course is not drawn.
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2")


def make_page(answer: Callable[[str], Answer], *, network: str, max_mib: float, max_seconds: float) -> gr.Blocks:
    """Lay out the page. One video at a time is classified; its file is deleted as soon as it is.

    Args:
        answer: Function from the path of an uploaded file to what is shown of it.
        network: Name of the network, to be shown.
        max_mib: Largest file in MiB, to be shown.
        max_seconds: Longest video, to be shown.
    """

    def show(path: str) -> tuple[Any, ...]:
        try:
            found = answer(path)
        finally:
            os.unlink(path)
        shown = gr.Column(visible=bool(found.scores))
        plotted = _course(found) if found.scores else gr.skip()
        # The field is emptied, for the next video.
        return None, _said(found), shown, found.scores or None, plotted, _legend(found), _strip(found)

    with gr.Blocks(title="videogn", analytics_enabled=False, delete_cache=_DELETE) as page:
        gr.HTML(f"<h1>Classify a video</h1><p>Network: {html.escape(network)}</p>")
        video = gr.File(label=f"Video of up to {max_mib:g} MiB and {max_seconds:g} s", height=160)
        take_uploads_only(video)
        said = gr.HTML(elem_id="said")
        with gr.Column(visible=False) as results:
            with gr.Row():
                classes = gr.Label(label="Classes", min_width=_MIN_WIDTH, elem_id="classes")
                with gr.Column(min_width=_MIN_WIDTH):
                    course = gr.LinePlot(
                        label="Probability, clip by clip",
                        x="second",
                        y="probability",
                        color="class",
                        y_lim=[0, 1],
                        colors_in_legend=[],
                    )
                    legend = gr.HTML()
            clips = gr.HTML(elem_id="clips")
        outputs = [video, said, results, classes, course, legend, clips]
        video.upload(show, video, outputs, concurrency_limit=1, show_progress_on=said, api_visibility="private")
    return page.queue(max_size=_MOST_WAITING)


def _said(found: Answer) -> str:
    style = "" if found.scores else ' style="color: var(--error-text-color)"'
    return f"<p{style}>{html.escape(found.said)}</p>"


def _colours(found: Answer) -> dict[str, str]:
    """The classes whose course is drawn; a single clip has none."""
    return dict(zip(found.scores, _COLOURS, strict=False)) if len(found.clips) > 1 else {}


def _course(found: Answer) -> gr.LinePlot:
    colours = _colours(found)
    rows = [row for row in found.course if row[1] in colours]
    table = pd.DataFrame(rows, columns=["second", "class", "probability"])
    return gr.LinePlot(table, color_map=colours, visible=bool(colours))


def _legend(found: Answer) -> str:
    """The colours of the course; the plot's own legend is cut off on a narrow screen."""
    mark = "display: inline-block; width: 1em; height: 0.25em; vertical-align: middle; background: "
    return "&emsp;".join(
        f'<span style="display: inline-block"><span style="{mark}{colour}"></span> {html.escape(name)}</span>'
        for name, colour in _colours(found).items()
    )


def _strip(found: Answer) -> str:
    """The clips side by side, in as many lines as it takes."""
    figures = []
    for frame, span in found.clips:
        picture = io.BytesIO()
        Image.fromarray(frame).save(picture, "JPEG", quality=90)
        source = f"data:image/jpeg;base64,{base64.b64encode(picture.getvalue()).decode()}"
        figures.append(f'<figure><img src="{source}" alt="" style="height: 110px">{span}</figure>')
    flow = "display: flex; flex-wrap: wrap; gap: 12px"
    return f'<p>The middle frame of each clip, as the network sees it</p><div style="{flow}">{"".join(figures)}</div>'
