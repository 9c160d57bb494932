"""The web server of the page: one process, no connection to anywhere but its visitors."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

#: Seconds that visitors' connections may take to end.
_GRACE = 1


def listening(host: str, port: int) -> socket.socket:
    """Open a port, so that it is known to be free before a network is loaded.

    Args:
        host: Address or name of this machine.
        port: Port; 0 takes any that is free.

    Raises:
        ValueError: The port is out of range.
        OSError: The port is in use, or the address is not one of this machine.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port must be between 0 and 65535, got {port}")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:  # text that no name of a machine can be
        if isinstance(error, UnicodeError | socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise OSError(f"host {host!r} is no address of this machine; 127.0.0.1 and 0.0.0.0 are") from error
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} of {host} is in use: name another one with --port") from error
        raise OSError(f"port {port} of {host} cannot be opened ({error.strerror})") from error


@contextmanager
def gradio_set_up() -> Iterator[None]:
    """Tell Gradio, before it is imported, to report nothing and to hold uploads in a folder that is removed in the end.

    Its usual folder stays, and is shared by all users of the machine.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with tempfile.TemporaryDirectory(prefix="videogn-app-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        yield


def serve(page: gr.Blocks, listener: socket.socket, *, max_bytes: int) -> None:
    """Serve a page until the process is asked to end.

    Args:
        page: The page.
        listener: Open port.
        max_bytes: Largest file that may be uploaded.
    """
    import uvicorn

    # Visitors who are cut off at the end are no errors.
    application = application_of(page, max_bytes=max_bytes)
    config = uvicorn.Config(application, log_level="critical", timeout_graceful_shutdown=_GRACE)
    uvicorn.Server(config).run(sockets=[listener])


def application_of(page: gr.Blocks, *, max_bytes: int) -> FastAPI:
    """Make what a web server runs of a page; arguments as for `serve`."""
    import gradio as gr
    from fastapi import FastAPI

    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        path="/",
        max_file_size=max_bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
    )
