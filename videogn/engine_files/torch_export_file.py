"""Files of torch.export, run by torch itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.network import Run
from videogn.engine_files.pt2_check import UnsafeArchiveError, check_container, check_pt2


def describe_torch_export(path: Path) -> str | None:
    """Read the metadata of a file of torch.export; None if it has none.

    Args:
        path: File, .pt2.

    Raises:
        ValueError: It is no such file.
    """
    from torch.export.pt2_archive import PT2ArchiveReader

    with _one_line(path):
        check_container(path)
        archive = PT2ArchiveReader(str(path))
        name = f"extra/{METADATA_KEY}"
        return str(archive.read_string(name)) if name in archive.get_file_names() else None


def open_torch_export(path: Path) -> Run:
    """Open a file of torch.export, if nothing in it can run code.

    Args:
        path: File, .pt2.

    Returns:
        What runs its graph.

    Raises:
        ValueError: torch cannot read it, or it holds more than a network needs.
    """
    with _one_line(path):
        check_container(path)
        check_pt2(str(path))
        program = torch.export.load(path)
    # The guards are Python in text form, and repeat what the sizes say.
    network = program.module(check_guards=False)

    @torch.inference_mode()
    def run(clips: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):  # a file computes as it was exported, whoever asks
            output: Tensor = network(clips)
        return output

    return run


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except UnsafeArchiveError as error:
        raise ValueError(f"{path} is not opened, because it could run code: {error}") from error
    except Exception as error:  # whatever the parts of a damaged archive lead to
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
        raise ValueError(f"{path} is no file of torch.export that this torch can run: {reason}") from error
