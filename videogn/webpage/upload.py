"""A field for a video that takes what was uploaded and nothing else.

A visitor's browser says where the server has put an upload. Gradio believes it as long as its page is part of another
program, as here: whoever writes the request by hand names any file of the server, which would be shown, and deleted
after that, or an address, which would be fetched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr


def take_uploads_only(field: Any) -> None:
    """Let a field refuse every path that is not one of its uploads.

    Its methods are replaced: of a class of our own Gradio would write a description into this package.

    Args:
        field: The field, a `gr.File` of one file.
    """
    move, preprocess = field.async_move_resource_to_block_cache, field.preprocess
    uploads = os.path.join(os.path.realpath(field.GRADIO_CACHE), "")

    def check(path: str | Path) -> None:
        if not os.path.realpath(path).startswith(uploads):
            raise gr.Error("This page takes uploaded files only.")

    async def moved(path: str | Path | None) -> str | None:
        if path is not None:  # or it would be copied, or fetched, into the folder of uploads
            check(path)
        return await move(path)

    def preprocessed(payload: Any) -> Any:
        if payload is not None:  # what says of itself that it is a stream is not moved
            check(payload.path)
        return preprocess(payload)

    field.async_move_resource_to_block_cache, field.preprocess = moved, preprocessed
