"""Memory of keeping the rows of very many videos: `python benchmarks/bulk_memory.py [ROWS]`.

A list of that many names goes through everything of `videogn predict --list --output` but decoding and the network:
each name is read, its file looked for, its row kept in a part, and the output written. Then the same again, when all
is known. Prints the memory of the process on the way.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from videogn.axes import VideoRecord
from videogn.inference.bulk.formats import json_lines
from videogn.inference.bulk.inputs import Inputs
from videogn.inference.bulk.parts import opened_parts
from videogn.inference.bulk.rows import row_of
from videogn.inference.bulk.scoring import Scoring
from videogn.inference.prediction import Prediction

_SCORES = tuple((f"class {rank}", 0.5**rank) for rank in range(1, 6))


def resident() -> float:
    """Resident memory of this process in MB, without that of mapped files; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def predicted(videos: Iterable[VideoRecord]) -> Iterator[Prediction]:
    """What a network would say, at once."""
    return (Prediction(video.name, scores=_SCORES) for video in videos)


def keep(names: Path, output: Path, every: int) -> None:
    """Score the list into the output."""
    started = time.process_time()
    with opened_parts(output, {}) as parts:
        say(f"  opened: {resident():7.1f} MB, {time.process_time() - started:.1f} s of processor time")
        scoring = Scoring(Inputs((), [str(names)]), parts, row_of)
        for number, _ in enumerate(scoring.run(predicted), 1):
            if number % every == 0:
                say(f"  {number:,} rows: {resident():7.1f} MB")
        with output.open("w") as file:
            file.writelines(json_lines(parts.rows()))
        say(f"  written, {scoring.known:,} known: {resident():7.1f} MB, {time.process_time() - started:.1f} s")


def main() -> None:
    """Write the list, and score it twice."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "names.txt")
        with names.open("w") as file:
            file.writelines(f"{folder}/a folder of the archive/{number:09d}.mp4\n" for number in range(count))
        for title in ("first run", "second run"):
            say(title)
            keep(names, Path(folder, "scores.jsonl"), max(count // 5, 1))


if __name__ == "__main__":
    main()
