"""The field for a video, which takes what was uploaded and nothing else.

A visitor's browser says where the server has put an upload. Gradio believes it as long as its page is part of another
program, as here: whoever writes the request by hand names any file of the server, which would be shown, and deleted
after that, or an address, which would be fetched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from gradio.events import Dependency

class Upload(gr.File):
    """A field for one file."""

    def get_block_name(self) -> str:
        """Return the name of the part of Gradio that draws it."""
        return "file"

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Let an upload be where it is; anything else is not copied or fetched."""
        if url_or_file_path is not None:
            self._check(url_or_file_path)
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def preprocess(self, payload: Any) -> Any:
        """Return the path of an upload; what says of itself that it is a stream comes here at once."""
        if payload is not None:
            self._check(payload.path)
        return super().preprocess(payload)

    def _check(self, path: str | Path) -> None:
        uploads = os.path.realpath(self.GRADIO_CACHE)
        if not os.path.realpath(path).startswith(os.path.join(uploads, "")):
            raise gr.Error("This page takes uploaded files only.")
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component
