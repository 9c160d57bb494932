"""Videos that one test has right and another wrong, with pictures."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.data.lists.segments import named_video
from videogn.report.comparison.comparison import Pair
from videogn.report.comparison.outcomes import Outcomes
from videogn.report.comparison.wording import LETTERS
from videogn.report.document_blocks import Block, Entry, Gallery, Heading
from videogn.report.thumbnails import Stills, read_stills
from videogn.video.storage import exists, is_url

#: Videos of each kind that a page shows.
MOST_SHOWN = 12


def galleries(outcomes: Outcomes, pair: Pair) -> list[Block]:
    """Show the first videos that only the second test has right, and those that only the first has.

    Args:
        outcomes: The tests, joined by their videos.
        pair: The two tests.

    Returns:
        A heading and a gallery for each of the two kinds that has videos.
    """
    a, b = pair.first, pair.second
    blocks: list[Block] = []
    for right, wrong, videos in ((b, a, pair.won), (a, b, pair.lost)):
        if videos:
            blocks.append(Heading(f"Right in {LETTERS[right]} only: {len(videos):,}", 3))
            blocks.append(_gallery(outcomes, videos[:MOST_SHOWN], (wrong, right)))
    return blocks


def _gallery(outcomes: Outcomes, videos: Sequence[int], tests: tuple[int, int]) -> Gallery:
    stills = read_stills([_file(outcomes, video, tests) for video in videos])
    return Gallery([_entry(outcomes, video, sorted(tests), of) for video, of in zip(videos, stills, strict=True)])


def _entry(outcomes: Outcomes, video: int, tests: Sequence[int], stills: Stills) -> Entry:
    said = "; ".join(f"{LETTERS[test]}: {_said(outcomes, test, video)}" for test in tests)
    lines = [f"label {', '.join(outcomes.labels[video])}; {said}", *([stills.problem] if stills.problem else [])]
    return Entry(outcomes.names[video], lines, stills.link, stills.pictures)


def _said(outcomes: Outcomes, test: int, video: int) -> str:
    """The class that a test took a video for, or why there is none."""
    own, row = outcomes.tests[test], int(outcomes.rows[test][video])
    best = outcomes.predicted(test, video)
    return f"no scores ({own.errors[row]})" if best is None else f"{best} ({100 * own.confidence[row]:.0f} %)"


def _file(outcomes: Outcomes, video: int, tests: tuple[int, int]) -> tuple[str, tuple[int, ...]]:
    """Path and clips of a video in the first of the tests whose file is there and that took clips of it."""
    found = [(outcomes.tests[test], int(outcomes.rows[test][video])) for test in tests]
    places = [(test.paths[row], test.starts[row]) for test, row in found]
    return next(((path, starts) for path, starts in places if starts and _is_there(path)), places[0])


def _is_there(name: str) -> bool:
    path = named_video(name).path
    return not is_url(path) and exists(path)
