"""Folders of made-up tests, written as `videogn test` writes them."""

from __future__ import annotations

import numpy as np
import torch

from videogn.axes import Sample
from videogn.evaluation import ResultCollection, VideoResult, score_video, write_results

PROTOCOL = {"clips": 3, "starts": "nonlocal", "crops": "full", "clip_length": 4, "interval": 1, "short_side": 40}
MODEL = {"arch": "i3d_tiny", "norm": "gn", "clip_length": 4}


def make_probabilities(videos, classes, *, clips=3, seed=0):
    """(probabilities float32 (videos, clips, K), labels (videos,)): right about two times in three."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, videos)
    logits = rng.normal(0, 1, (videos, clips, classes)).astype(np.float32)
    logits[np.arange(videos), :, labels] += 1.5 + np.log(classes) / 2
    # Some are taken for the class half of all classes further.
    away = rng.random(videos) < 0.25
    logits[np.flatnonzero(away), :, (labels[away] + classes // 2) % classes] += 3 + np.log(classes) / 2
    return torch.from_numpy(logits).softmax(dim=2).numpy(), labels


def write_test(folder, names, probabilities, labels, *, paths=None, failed=(), keep_clips=True, starts=None, **about):
    """Write the results of a test; `failed` are (position, reason)."""
    results = ResultCollection()
    reasons = dict(failed)
    for position, (clips, label) in enumerate(zip(probabilities, labels, strict=True)):
        path = paths[position] if paths is not None else f"/videos/{position:05d}.mp4"
        if position in reasons:
            results.add(VideoResult(position, path, int(label), error=reasons[position], decoded=False))
            continue
        sample = Sample(position, path, int(label), starts=starts or tuple(range(0, 10 * len(clips), 10)))
        results.add(score_video(sample, torch.from_numpy(clips), keep_clips=keep_clips))
    about = {"protocol": PROTOCOL, "model": MODEL, "checkpoint": "last.ckpt", "seed": 0, **about}
    return write_results(folder, results, classes=names, expected=len(labels), about=about)
