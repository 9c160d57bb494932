"""The numbers of "Group Normalization" (Wu & He, ECCV 2018, arXiv 1803.08494), to stand beside a study's own.

Tables 1 to 3 are ImageNet validation error (%, ResNet-50, centre crop); Table 8 is Kinetics-400 accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from videogn.report.document_blocks import Table

#: Said wherever a number of the paper stands.
SOURCE = "Wu & He 2018, Group Normalization, arXiv 1803.08494"

#: Table 8: (clip length, interval, clips per GPU) -> norm -> (top-1, top-5) %. ResNet-50 I3D, 10 clips a video.
TABLE_8: dict[tuple[int, int, int], dict[str, tuple[float, float]]] = {
    (32, 2, 8): {"bn": (73.3, 90.7), "gn": (73.0, 90.6)},
    (32, 2, 4): {"bn": (72.1, 90.0), "gn": (72.8, 90.6)},
    (64, 1, 4): {"bn": (73.3, 90.8), "gn": (74.5, 91.7)},
}

#: Table 1: norm -> error %, 32 images per GPU.
TABLE_1 = {"bn": 23.6, "ln": 25.3, "in": 28.4, "gn": 24.1}

#: Table 2: norm -> images per GPU -> error %.
TABLE_2: dict[str, dict[int, float]] = {
    "bn": {32: 23.6, 16: 23.7, 8: 24.8, 4: 27.3, 2: 34.7},
    "gn": {32: 24.1, 16: 24.2, 8: 24.0, 4: 24.2, 2: 24.1},
}

#: Table 3: option of GN -> its value -> error %, 32 images per GPU. One group is layer norm, one channel a group
#: instance norm.
TABLE_3: dict[str, dict[int, float]] = {
    "groups": {64: 24.6, 32: 24.1, 16: 24.6, 8: 24.4, 4: 24.6, 2: 24.7, 1: 25.3},
    "channels_per_group": {64: 24.4, 32: 24.5, 16: 24.2, 8: 24.3, 4: 24.8, 2: 25.6, 1: 28.4},
}


def table_8() -> Table:
    """Kinetics-400 accuracy of clip lengths and batch sizes."""
    rows = [
        [f"{length} x {interval}", str(batch), *(f"{top1:.1f} / {top5:.1f}" for top1, top5 in norms.values())]
        for (length, interval, batch), norms in TABLE_8.items()
    ]
    caption = (
        f"The paper's Table 8 ({SOURCE}), not measured here: Kinetics-400 validation, ResNet-50 I3D from ImageNet "
        "weights, 8 GPUs, 10 clips a video, top-1 / top-5 accuracy (%); batch size is clips per GPU."
    )
    return Table(["clip length x interval", "batch size", "BN", "GN"], rows, caption, 2)


def table_1() -> Table:
    """ImageNet error of the norms."""
    return _errors(1, ", 32 images per GPU", [norm.upper() for norm in TABLE_1], {"": TABLE_1.values()})


def table_2() -> Table:
    """ImageNet error of BN and GN against batch size."""
    rows = {norm.upper(): errors.values() for norm, errors in TABLE_2.items()}
    return _errors(2, ", against images per GPU (columns)", ["norm", *map(str, TABLE_2["bn"])], rows)


def table_3(option: str) -> Table:
    """ImageNet error of GN against one of its options, groups or channels_per_group."""
    readable = option.replace("_", " ")
    head = [f"{readable} {value}" for value in TABLE_3[option]]
    return _errors(3, f", GN, 32 images per GPU, against {readable} (columns)", head, {"": TABLE_3[option].values()})


def _errors(number: int, about: str, head: Sequence[str], rows: Mapping[str, Iterable[float]]) -> Table:
    """A table of errors; rows with a name have it in the first column."""
    cells = [[*([name] if name else []), *(f"{error:.1f}" for error in errors)] for name, errors in rows.items()]
    caption = (
        f"The paper's Table {number} ({SOURCE}), not measured here: ImageNet validation error (%), ResNet-50{about}. "
        "Lower is better."
    )
    return Table(head, cells, caption, len(cells[0]) - len([*next(iter(rows.values()))]))
