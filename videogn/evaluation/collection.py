"""The results of a test while it runs, in a file, so that memory stays flat whatever is kept of each video.

Probabilities of 10 clips and 400 classes are 16 kB a video, 320 MB for the 19,900 test videos of Kinetics-400. Each
process therefore writes its results to a temporary file of its own as they come, and at the end sends them to process
0 in small messages. Part files in the results folder would do without messages, but would need a folder that all
machines share, and a killed test would leave them behind. This file has no name: it goes with its process.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from itertools import islice

from videogn.evaluation.results import VideoResult
from videogn.system.ranks import sent_to_first
from videogn.system.room import why

#: Results that are in memory at once: 4 MB of probabilities in the example above.
_BLOCK = 256


class ResultCollection:
    """Results of distinct videos, in a nameless file in the folder for temporary files.

    Iterating reads them in index order, as often as needed. A video that was added twice, since a distributed sampler
    repeats videos to fill its last batch, appears once.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object
        self._offsets: dict[int, int] = {}  # position of a video in the index -> offset of its result in the file

    def add(self, result: VideoResult) -> None:
        """Append a result to the file.

        Raises:
            OSError: The file cannot be written.
        """
        try:
            self._offsets[result.position] = self._file.seek(0, os.SEEK_END)
            pickle.dump(result, self._file)
            self._file.flush()  # a forked process must not have the rest of it to write as well
        except OSError as error:
            raise OSError(
                f"no more results can be kept in {tempfile.gettempdir()} ({why(error, tempfile.gettempdir())}); "
                "TMPDIR names another folder"
            ) from error

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[VideoResult]:
        for _, offset in sorted(self._offsets.items()):
            self._file.seek(offset)
            yield pickle.load(self._file)

    def blocks(self) -> Iterator[list[VideoResult]]:
        """Iterate in index order, in lists of bounded length."""
        results = iter(self)
        while block := list(islice(results, _BLOCK)):
            yield block

    def join(self) -> None:
        """Add the results of all processes to the collection of process 0. Every process has to call this."""
        for block in sent_to_first(self.blocks()):
            for result in block:
                self.add(result)
