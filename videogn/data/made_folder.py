"""Folders of data sets that videogn makes itself: a manifest says with which settings, and whether all is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videogn.system.destination import check_folder
from videogn.system.files import write_json

_COMPLETE = "complete"


class MadeFolder:
    """The folder of a data set that is made from settings.

    Args:
        folder: Folder; it need not exist.
        manifest: Name of the file in it that holds the settings.
        settings: Settings of the data set.
        what: What the folder holds, for messages, for instance "a motion data set".
        added: Settings that manifests of earlier versions lack, with the values that they had. Default: none.
    """

    def __init__(
        self,
        folder: Path,
        manifest: str,
        settings: Mapping[str, Any],
        what: str,
        *,
        added: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder, self._manifest = folder, folder / manifest
        self._settings, self._what, self._added = dict(settings), what, dict(added or {})

    def is_complete(self) -> bool:
        """Whether the data set is there already.

        Raises:
            ValueError: The folder holds something else.
            OSError: It cannot be a folder, or be written to.
        """
        check_folder(self._folder)
        if not self._folder.exists() or not any(self._folder.iterdir()):
            return False
        if not self._manifest.is_file():
            raise ValueError(f"{self._folder} holds something else than {self._what}: name a new or an empty folder")
        found = self._read()
        complete = found.pop(_COMPLETE, None)
        if {**self._added, **found} != self._settings:
            raise ValueError(
                f"{self._folder} holds {self._what} made with {found}: name another folder, or remove that one"
            )
        return complete is True

    def begin(self) -> None:
        """Say that the folder is of this data set, before the first file is written."""
        write_json(self._manifest, {**self._settings, _COMPLETE: False})

    def finish(self) -> None:
        """Say that all is written."""
        write_json(self._manifest, {**self._settings, _COMPLETE: True})

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._manifest.read_bytes())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{self._manifest} is damaged: name another folder, or remove {self._folder}")
        return found
