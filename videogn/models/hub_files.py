"""Published files in torch's folder of downloads: there already, or fetched."""

from __future__ import annotations

import logging
import re
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import torch

_log = logging.getLogger(__name__)

#: Seconds that a server has to answer; torch's own download waits as long as the system does, minutes.
_PATIENCE = 20


def downloads() -> Path:
    """Return the folder where torch.hub keeps downloads."""
    return Path(torch.hub.get_dir(), "checkpoints")


def hub_file(source: str, url: str) -> Path:
    """Find a published file in the folder where torch.hub keeps downloads, and fetch it if it is not there.

    Args:
        source: Source as the user named it, for messages.
        url: Address of the file. A hash in its name is checked when it is fetched.

    Returns:
        The file.

    Raises:
        ValueError: The file is not there and could not be fetched. The message says where to put it.
    """
    path = downloads() / Path(urlparse(url).path).name
    if path.exists():
        return path
    _log.warning("fetching %s to %s", url, path)  # a warning is seen without a set-up of logging: minutes may follow
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PATIENCE):
            pass
        path.parent.mkdir(parents=True, exist_ok=True)
        hashed = re.search(r"-([0-9a-f]{8,})\.", path.name)
        prefix = hashed.group(1) if hashed else None
        torch.hub.download_url_to_file(url, str(path), prefix, progress=sys.stderr.isatty())
    except Exception as error:  # no network, no such file, a wrong hash, a full disk: a dozen types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{source} could not be fetched: {reason}; download {url} where there is a network, and put the file into "
            f"{path.parent}"
        ) from error
    return path
