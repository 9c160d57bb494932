"""The numbers of "Group Normalization" (Wu & He, ECCV 2018, arXiv 1803.08494), to stand beside a study's own.

Tables 1 to 3 are ImageNet validation error (%, ResNet-50, centre crop); Table 8 is Kinetics-400 accuracy.
"""

from __future__ import annotations

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
