"""Folders of made-up tests, written by what writes those of `videogn test`."""

from __future__ import annotations

import numpy as np

from videogn.evaluation import ResultCollection, VideoResult, write_results

CLASSES = ("red", "green", "blue")
PROTOCOL = {"clips": 2, "starts": "nonlocal", "crops": "center", "short_side": 40, "clip_length": 8, "interval": 2}


def write_tested(folder, videos, *, classes=CLASSES, root="/data", clips=False, several_labels=False, **about):
    """Write the results of a test and return their folder.

    Args:
        folder: where to.
        videos: (path, label, probabilities of the classes) of each; the label is a name, several names in a tuple, or
            None; the probabilities are None for a video that failed.
        classes: names.
        root: that the results name.
        clips: whether the probabilities of the clips are kept.
        several_labels: whether labels are tuples of names.
        about: further entries of results.json.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    results = ResultCollection()
    for position, (path, label, scores) in enumerate(videos):
        labels = tuple(numbers[name] for name in label) if several_labels else None
        number = -1 if several_labels or label is None else numbers[label]
        if scores is None:
            results.add(VideoResult(position, path, number, error="no frames", decoded=False, labels=labels))
            continue
        scores = np.asarray(scores, np.float32)
        best = np.argsort(-scores, kind="stable")[:5]
        results.add(
            VideoResult(
                position,
                path,
                number,
                top=tuple((int(k), float(scores[k])) for k in best),
                clip_hits=(False, False),
                starts=(0, 16),
                # Two clips whose mean is the video's.
                clips=np.stack([scores + 0.01, scores - 0.01]) if clips else None,
                labels=labels,
                scores=scores if several_labels else None,
            )
        )
    made = {"protocol": PROTOCOL, "decoder": "auto", "videos_from": {"split": "val", "root": root}, **about}
    write_results(folder, results, classes=classes, expected=len(results), about=made, several_labels=several_labels)
    return folder


def scores_of(best, classes=CLASSES, sure=0.8):
    """Probabilities with the class `best` first; None for a failed video."""
    if best is None:
        return None
    rest = (1 - sure) / (len(classes) - 1)
    return [sure if name == best else rest for name in classes]


def write_rows(folder, rows, *, place="/data/val", classes=CLASSES, **options):
    """A test of rows (label, best class), or (label, best class, probability): the videos are 0.mp4, 1.mp4 ..."""
    videos = [
        (f"{place}/{row[0]}/{number}.mp4", row[0], scores_of(row[1], classes, *row[2:]))
        for number, row in enumerate(rows)
    ]
    return write_tested(folder, videos, classes=classes, **options)
