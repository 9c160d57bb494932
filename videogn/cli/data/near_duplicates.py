"""Near-duplicates of the splits of a data set, as `data split` and `data show` look for them and print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from videogn.choices import TIME_LIMIT
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from videogn.data.near_duplicates import NearDuplicates
    from videogn.data.video_index import VideoIndex

#: Number of pairs that are printed.
_SHOWN = 10


def near_duplicates_of(splits: Mapping[str, VideoIndex]) -> tuple[list[str], list[NearDuplicates]]:
    """Look for near-duplicates, with progress on standard error.

    Args:
        splits: Split -> index. Videos of different splits are compared; all videos if there is one.

    Returns:
        Lines that say what was found, and the pairs, with positions in the splits one after the other.
    """
    import numpy as np
    import pyarrow as pa

    from videogn.cli.progress import bar
    from videogn.data.near_duplicates import find_near_duplicates
    from videogn.data.records import Records
    from videogn.indexing.signatures import make_signatures

    records = Records(pa.concat_tables([index.asked().records.table for index in splits.values()]).combine_chunks())
    sides = np.repeat(np.arange(len(splits)), [len(index) for index in splits.values()])
    with bar("Looking at videos") as advance:
        signatures = make_signatures(records, timeout=TIME_LIMIT, workers=available_cores(), progress=advance)
    with bar("Comparing videos") as advance:
        pairs = find_near_duplicates(signatures, None if len(splits) == 1 else sides, advance)
    paths = [record.path for record in records]
    pairs = [pair for pair in pairs if paths[pair.first] != paths[pair.second]]  # one video twice is said elsewhere
    failed = sum(each is None for each in signatures)
    return [*_lines(pairs, paths, [list(splits)[side] for side in sides]), *_not_compared(failed)], pairs


def _lines(pairs: Sequence[NearDuplicates], paths: Sequence[str], splits: Sequence[str]) -> list[str]:
    from videogn.system.displayable import one_line
    from videogn.system.sizes import counted

    lines = []
    for where, count in Counter((splits[pair.first], splits[pair.second]) for pair in pairs).items():
        within = " and ".join(dict.fromkeys(filter(None, where)))
        verb = "looks" if count == 1 else "look"
        lines.append(f"{counted(count, 'pair')} of videos{f' of {within}' if within else ''} {verb} alike:")
        shown = [pair for pair in pairs if (splits[pair.first], splits[pair.second]) == where]
        shown.sort(key=lambda pair: -pair.similarity)
        lines += [
            f"  {pair.similarity:.2f}  {one_line(paths[pair.first])}  {one_line(paths[pair.second])}"
            for pair in shown[:_SHOWN]
        ]
        lines += [f"  and {count - _SHOWN:,} more"] if count > _SHOWN else []
    return lines


def _not_compared(failed: int) -> list[str]:
    from videogn.system.sizes import counted

    return [f"{counted(failed, 'video')} could not be decoded for the comparison"] if failed else []
