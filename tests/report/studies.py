"""Folders of made-up studies: what `videogn study` leaves, with results that look like the paper's."""

from __future__ import annotations

import dataclasses
import itertools
import json
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from videogn.study.budget import Budget
from videogn.study.cell import Cell, Norm, Section
from videogn.study.cell_files import CLIPS_FILE, RESULT_FILE, STATE_FILE
from videogn.study.study_files import PLAN_FILE, STUDY_FILE, cell_folder, read_study
from videogn.study.transfers import ClipOfTest, Transfer

CLASSES = 8
VIDEOS = 200
CLIPS = 10
EPOCHS = 24
NORMS = (Norm("bn"), Norm("gn"))
CLIP_KINDS = ((8, 2), (16, 1))
BATCHES = (8, 4, 2)
VERSIONS = {"python": "3.12.3", "videogn": "0.1.0", "torch": "2.9.0", "decord": None}


def make_cells(norms=NORMS, clips=CLIP_KINDS, batches=BATCHES, seeds=(0, 1, 2), budget=None, **kwargs):
    """The product of the axes; every step has 8 clips."""
    budget = budget or Budget("epochs", EPOCHS)
    return tuple(
        Cell(norm, *clip, batch, accumulate=8 // batch, budget=budget, seed=seed, **kwargs)
        for seed, clip, batch, norm in itertools.product(seeds, clips, batches, norms)
    )


def skill(cell):
    """How well a network of the cell separates the classes: BatchNorm less with small batches, longer clips more."""
    loss = {8: 0.0, 4: 0.25, 2: 0.9}[cell.batch_size] if cell.norm.name == "bn" else 0.05
    noise = np.random.default_rng(100 + cell.seed).normal(0, 0.08)
    return 2.2 - loss + (0.35 if cell.clip_length == 16 else 0.0) + noise


def write_study(
    folder,
    *,
    sections=None,
    missing=(),
    without_clips=(),
    failed_videos=3,
    classes=CLASSES,
    plan=True,
    on_device=False,
    title="Clip length, batch size and normalisation",
    reason="RuntimeError: out of memory (see cells/x/log.txt)",
):
    """Write a study's folder and read it.

    Args:
        folder: where to.
        sections: one of 2 norms x 2 clips x 3 batches x 3 seeds by default.
        missing: cells that are not finished; the first has failed for `reason`, the others wait.
        without_clips: cells that have no clip file.
        failed_videos: videos that do not decode, in every cell.
        classes: K.
        plan: whether there is a plan of memory.
        on_device: whether peaks were measured on a device.
        title: of the grid.
        reason: of the failure.

    Returns:
        The study.
    """
    sections = sections or [Section("24 epochs, steps of 8 clips a device", "Equal epochs.", make_cells())]
    for cell in dict.fromkeys(cell for section in sections for cell in section.cells):
        place = cell_folder(folder, cell)
        place.mkdir(parents=True)
        if cell in missing:
            if cell == missing[0]:
                (place / STATE_FILE).write_text(json.dumps({"phase": "failed", "reason": reason}))
        else:
            _write_cell(place, cell, cell not in without_clips, failed_videos, classes, on_device)
    content = {
        "title": title,
        "sections": [dataclasses.asdict(section) for section in sections],
        "grid": "axes:\n  norm: [bn, gn]\n  clip: [8x2, 16x1]\n  batch_size: [8, 4, 2]\n  seed: [0, 1, 2]\n",
        "command": "videogn study grid.yaml --out table8 --jobs 2",
        "versions": VERSIONS,
    }
    (folder / STUDY_FILE).write_text(json.dumps(content))
    if plan:
        (folder / PLAN_FILE).write_text(json.dumps({"memory": 2**30, "rows": _plan_rows()}))
    return read_study(folder)


def make_probabilities(cell, failed_videos=0, classes=CLASSES):
    """(labels, float32 probabilities (N, V, K)) of a cell; the first videos are those that fail."""
    rng = np.random.default_rng(zlib.crc32(cell.name.encode()))
    videos = np.random.default_rng(5)  # the same for all cells: videos are easy or hard for every network
    labels = np.arange(VIDEOS) % classes
    logits = 0.9 * videos.normal(size=(VIDEOS, 1, classes)) + 0.5 * rng.normal(size=(VIDEOS, 1, classes))
    logits = logits + 1.1 * rng.normal(size=(VIDEOS, CLIPS, classes))
    logits[np.arange(VIDEOS), :, labels] += skill(cell)
    powers = np.exp(logits)
    return labels, (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32)


def _write_cell(place, cell, with_clips, failed_videos, classes, on_device):
    labels, probabilities = make_probabilities(cell, failed_videos, classes)
    if with_clips:
        write_clips(place / CLIPS_FILE, labels, probabilities, failed=range(failed_videos))
    tested = np.arange(VIDEOS) >= failed_videos
    ranks = np.argsort(-probabilities.astype(np.float64).mean(axis=1), axis=1)
    k = min(5, classes)
    per_clip = probabilities[tested].argmax(axis=2) == labels[tested, None]
    seconds = {8: 210.0, 4: 225.0, 2: 260.0}[cell.batch_size] * cell.clip_length / 8 + 3 * cell.seed
    peak = round(9.1e6 * cell.batch_size * cell.clip_length / 8 + 6e6)
    content = {
        "cell": dataclasses.asdict(cell),
        "fingerprint": "f" * 64,
        "curve": _curve(cell),
        "test": {
            "over_all": {
                "top1": int((tested & (ranks[:, 0] == labels)).sum()) / VIDEOS,
                "top5": int((tested & (ranks[:, :k] == labels[:, None]).any(axis=1)).sum()) / VIDEOS,
                "videos": VIDEOS,
            },
            "k_of_top5": k,
            "per_clip_top1": float(per_clip.mean()),
            "counts": {"expected": VIDEOS, "failed": failed_videos, "without_scores": 0},
            "protocol": {"clips": CLIPS, "starts": "nonlocal", "crops": "center", "short_side": 36},
            "index_sha256": "a" * 64,
            "per_class": _per_class(tested, ranks[:, 0] == labels, labels, classes),
        },
        "cost": {
            "training_seconds": seconds,
            "testing_seconds": 20.0,
            "steps": 60 * EPOCHS,
            "clips": 480 * EPOCHS,
            "peak_device_bytes": round(1.04 * peak) if on_device else None,
            "peak_process_bytes": peak + 640 * 2**20,
        },
        "planned": {"activation_bytes": peak // 2, "peak_bytes": peak, "parameters": 120_000, "multiply_adds": 10**8},
        "attempts": 1 + (cell.seed == 2),
        "machine": {"cpu": "AMD EPYC", "cores": 2, "device": "cpu", "host": "box"},
        "commands": [["videogn", "fit", f"--config={cell.name}.yaml"], ["videogn", "test", "--ckpt_path=last.ckpt"]],
    }
    (place / RESULT_FILE).write_text(json.dumps(content))


def write_transfer(study, cell, clip, top1):
    """A finished test of a cell at other clips, (length, interval); accuracy in [0, 1]."""
    test = {"over_all": {"videos": 200, "top1": top1}}
    Transfer(ClipOfTest(*clip), test, 3.0, ("videogn", "test")).write(cell_folder(study.folder, cell))


def _per_class(tested, right, labels, classes):
    own = [tested & (labels == number) for number in range(classes)]
    return [
        {"class": f"class {number}", "videos": int(of.sum()), "top1": float(right[of].mean())}
        for number, of in enumerate(own)
    ]


def _curve(cell):
    rng = np.random.default_rng(zlib.crc32(cell.name.encode()) + 1)
    last = 0.55 / (1 + np.exp(1.6 * (skill(cell) - 1.2)))
    errors = [
        min(max(last + (0.875 - last) * np.exp(-epoch / 6) + rng.normal(0, 0.012), 0), 1)
        for epoch in range(1, EPOCHS + 1)
    ]
    frames = 480 * cell.clip_length
    return [
        {"epoch": n, "step": 60 * n, "frames": frames * n, "val_error": float(error), "train_loss": None}
        for n, error in enumerate(errors, 1)
    ]


def _plan_rows():
    return [
        {
            "model": "i3d_tiny", "norm": norm, "clip_length": length, "interval": 16 // length, "crop": 32,
            "batch_size": batch, "precision": "32", "memory_mode": mode, "activation_bytes": 1, "peak_bytes": 2,
            "parameters": 3, "multiply_adds": 4, "largest_batch": factor * 512 // length,
        }
        for norm in ("bn", "gn") for length in (8, 16, 32) for mode, factor in (("plain", 1), ("lean", 2))
        for batch in (8, 2)
    ]  # fmt: skip


def write_clips(path, labels, probabilities, failed=()):
    """A clip file of `videogn test`.

    Args:
        path: the Parquet file.
        labels: (N,).
        probabilities: (N, V, K).
        failed: numbers of the videos without probabilities.
    """
    failed = set(failed)
    rows = range(len(labels))
    table = pa.table(
        {
            "path": pa.array([f"class{labels[row]}/{row}.mp4" for row in rows], pa.string()),
            "label": pa.array(np.asarray(labels), pa.int64()),
            "clips": pa.array([0 if row in failed else probabilities.shape[1] for row in rows], pa.int64()),
            "probabilities": pa.array(
                [None if row in failed else probabilities[row].ravel() for row in rows], pa.list_(pa.float32())
            ),
        }
    )
    pyarrow.parquet.write_table(table, path)
