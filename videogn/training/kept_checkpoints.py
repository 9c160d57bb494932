"""What a checkpoint says about those that are kept beside it: by name, never by a path of its own choosing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SUFFIX = ".ckpt"
#: Entries of a RunCheckpoint's state that name a checkpoint.
_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


def best_of(state: Any) -> str | None:
    """Name of the best checkpoint in the state of a RunCheckpoint, or None where none went by a value."""
    if not isinstance(state, Mapping) or state.get("monitor") is None or state.get("best_model_score") is None:
        return None
    return _name(state.get("best_model_path"))


def of_one_folder(state: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of the state of a RunCheckpoint what does not lie in the folder that it kept checkpoints in.

    Those that are named may be removed or copied later on.
    """
    folder = state.get("dirpath")
    kept = state.get("best_k_models")
    kept = {path: value for path, value in kept.items() if _lies_in(path, folder)} if isinstance(kept, Mapping) else {}
    paths = {name: state[name] if _lies_in(state.get(name), folder) else "" for name in _PATHS if name in state}
    return {**state, **paths, "best_k_models": kept}


def _lies_in(path: Any, folder: Any) -> bool:
    """Whether a path is that of a checkpoint in a folder, spelt without detours."""
    name = _name(path)
    return name is not None and isinstance(folder, str | Path) and str(path) == str(Path(folder, name))


def _name(path: Any) -> str | None:
    """Name of a checkpoint; None for a path of anything else, or for none."""
    name = Path(path).name if isinstance(path, str | Path) else ""
    return name if name.endswith(_SUFFIX) and not name.startswith(".") and "\0" not in name else None
