"""What the results of a test state, of `results.json`: numbers that tables, figures and pages are made of."""

from __future__ import annotations

from videogn.stated_shapes import AMOUNT, COUNT, OBJECT_OR_NULL, SHARE, TEXT, TEXT_OR_NULL

_ACCURACIES = {"top1": SHARE, "top5": SHARE, "mean_class_accuracy": SHARE, "map": SHARE, "videos": COUNT}
_COUNTED = ("expected", "evaluated", "failed", "without_scores", "not_tested", "unlabelled", "shorter_than_a_clip")
_REASONS = [{"path": TEXT, "reason": TEXT}]
_BIN = {"above": SHARE, "up_to": SHARE, "videos": COUNT, "confidence": SHARE, "top1": SHARE}
_PROTOCOL = {"clips": COUNT, "starts": TEXT, "crops": TEXT_OR_NULL, "clip_length": COUNT, "interval": COUNT}
#: The entries that are read again, by their shapes, see `check_shape`.
SUMMARY = {
    "over_all": _ACCURACIES,
    "over_decodable": _ACCURACIES,
    "k_of_top5": COUNT,
    "per_clip_top1": SHARE,
    "counts": dict.fromkeys(_COUNTED, COUNT),
    "failed": _REASONS,
    "decoded_by_pyav_instead": _REASONS,
    "calibration": {"videos": COUNT, "ece": SHARE, "nll": AMOUNT, "brier": AMOUNT, "bins": [_BIN]},
    "protocol": {**_PROTOCOL, "short_side": AMOUNT, "fps": AMOUNT},
    "index_sha256": TEXT_OR_NULL,
    "checkpoint": TEXT_OR_NULL,
    "model": OBJECT_OR_NULL,
    "per_class": [{"class": TEXT, "videos": COUNT, "top1": SHARE, "average_precision": SHARE}],
}
#: Entries that every test has, and a report needs.
NEEDED = (
    *("over_all.top1", "over_all.top5", "over_all.videos", "k_of_top5", "per_clip_top1"),
    *("counts.expected", "counts.failed", "protocol.clips", "protocol.starts", "per_class"),
)
