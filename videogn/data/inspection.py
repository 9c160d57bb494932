"""What is odd about the videos of a data set, in lines that `fit`, `data show` and `data index` print alike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from videogn.choices import LeaksName
from videogn.data.class_folders import holds_classes
from videogn.data.empty_classes import about_empty_classes, refuse_mostly_empty
from videogn.data.file_hash import with_contents
from videogn.data.leaks import find_leaks, videos_of
from videogn.data.left_out import left_out_lines
from videogn.data.video_index import VideoIndex

#: Number of videos up to which files are compared before a training or a test; an index compares any number.
_COMPARED = 20_000


def about_one_class(index: VideoIndex) -> str | None:
    """Say that there is one class only, and which folder may be meant instead; None if there are more, or none."""
    if len(index.classes) != 1:
        return None
    (name,) = index.classes
    if name not in index.left_out:  # no class folders
        return f"there is only one class, {name}; at least two are needed"
    said = f"{os.path.basename(os.path.abspath(index.root))} has only one class, {name}"
    meant = holds_classes(Path(index.root, name))
    return f"{said}: is its folder {name} meant?" if meant else f"{said}; at least two are needed"


def about_class_sizes(index: VideoIndex) -> str | None:
    """Say how many videos the smallest and the largest class have; None where no video has a class.

    Classes without any are another line's: `about_empty_classes`.
    """
    counted = index.records.table["label"].drop_null().value_counts().to_pylist()
    sizes = sorted((row["counts"], row["values"]) for row in counted)
    if not sizes:
        return None
    (least, small), (most, large) = sizes[0], sizes[-1]
    if least == most:
        return f"{least:,} a class"
    ratio = f", {most / least:.1f} times as many" if most >= 2 * least else ""
    return f"{least:,} ({index.classes[small]}) to {most:,} ({index.classes[large]}) a class{ratio}"


def left_out_of(splits: Mapping[str, VideoIndex]) -> list[str]:
    """Say which files may have been meant as videos, and which folders are no classes, split by split."""
    lines = []
    own = {split: index for split, index in splits.items() if split != "test" or index is not splits.get("val")}
    several = sum(bool(index.left_out) for index in own.values()) > 1
    for split, index in own.items():
        used = set(index.records.table["label"].unique().to_pylist())
        full = [name for number, name in enumerate(index.classes) if number in used]
        before = f"{split}: " if several else ""
        lines += [before + line for line in left_out_lines(index.left_out, index.classes, full)]
    return lines


def inspect_splits(splits: Mapping[str, VideoIndex], *, leaks: LeaksName, given_classes: bool) -> list[str]:
    """Look for files that are left out and for leaks.

    Args:
        splits: Split -> index.
        leaks: "warn" or "error".
        given_classes: Whether the class names were given.

    Returns:
        Lines to warn with.

    Raises:
        ValueError: If there is one class only and it was not given, or there are leaks and they are errors.
    """
    line = about_one_class(next(iter(splits.values())))
    if line is not None and not given_classes:
        raise ValueError(line)
    videos = videos_of(splits)
    if videos["content"].null_count == len(videos) <= _COMPARED:  # no index has hashes
        videos = with_contents(videos)
    repeated = find_leaks(videos)
    if repeated and leaks == "error":
        raise ValueError(f"{'; '.join(repeated)}; --data.leaks warn goes on all the same")
    return [*left_out_of(splits), *repeated]


def check_splits(splits: Mapping[str, VideoIndex], *, sampling: str, clip_length: int) -> None:
    """Refuse long clips of images; splits of which some have one label a video and others several; what needs one.

    Args:
        splits: Split -> index.
        sampling: Rule by which training videos are drawn.
        clip_length: Number of frames in a clip.

    Raises:
        ValueError: It is so.
    """
    first = next(iter(splits.values()))
    if clip_length > 1 and first.example == "image":
        raise ValueError(
            f"clip_length must be 1 for images such as {first.records[0].path}, got {clip_length}; where they are the "
            "frames of videos, give each video a folder: <class>/<video>/img_00001.jpg"
        )
    several = {split for split, index in splits.items() if index.several_labels}
    if several and (others := [split for split in splits if split not in several]):
        raise ValueError(
            f"{min(several)} lists several labels a video, {others[0]} one: both must list several (--data.columns "
            "labels=NAME says so of a column)"
        )
    if several and sampling != "instance":
        raise ValueError(f"--data.sampling {sampling} needs one class a video, and these videos have several labels")


def inspect_classes(index: VideoIndex, *, given: bool, allowed: bool) -> list[str]:
    """Look for classes without a usable training video.

    Args:
        index: Training videos.
        given: Whether the class names were given; nothing is refused then.
        allowed: Whether any number of classes may be without one.

    Returns:
        Lines to warn with, at most one.

    Raises:
        ValueError: If more than half of the classes are, and neither holds.
    """
    line = about_empty_classes(index, given=given)
    if line is not None and not given and not allowed:
        refuse_mostly_empty(index, line)
    return [] if line is None else [line]


def remarks(splits: Mapping[str, VideoIndex], leaks: Sequence[str]) -> list[str]:
    """Collect what is odd about classes and repeated videos, for a command that lists what is left out in full.

    Args:
        splits: Split -> index; for a data set without splits, one entry.
        leaks: What `videogn.data.leaks.find_leaks` says of it.

    Returns:
        Lines.
    """
    training = splits.get("train", next(iter(splits.values())))
    found = [about_one_class(training), about_empty_classes(training), *leaks]
    return [line for line in found if line is not None]
