"""One training over several processes that torchrun starts, as on several machines."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from forked import free_port, run_torchrun
from training import fit_arguments


@pytest.mark.parametrize("nodes", [1, 2])
def test_two_processes_train_one_network(motion, tmp_path, nodes):
    """On one machine, or on what looks like two: the same clips, steps and files."""
    out = tmp_path / "run"
    arguments = fit_arguments(
        motion,
        out,
        "--data.batch_size=2",
        "--trainer.strategy=ddp",
        f"--trainer.num_nodes={nodes}",
        f"--trainer.devices={2 // nodes}",
        "--trainer.callbacks+=run_recorder.RunRecorder",
        f"--trainer.callbacks.folder={tmp_path / 'seen'}",
    )
    options = [
        f"--nnodes={nodes}",
        f"--nproc-per-node={2 // nodes}",
        "--rdzv-id=1",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint=127.0.0.1:{free_port()}",
    ]
    done = run_torchrun([options] * nodes, arguments, tmp_path / "log.txt")
    assert done.statuses == [0] * nodes, done.output

    seen = {}
    for rank in (0, 1):
        lines = map(json.loads, (tmp_path / "seen" / f"{rank}.jsonl").read_text().splitlines())
        seen[rank] = [path for _, _, samples, *_ in lines for path, *_ in samples]
        assert len(seen[rank]) == 4  # two steps of two clips
    assert not set(seen[0]) & set(seen[1])
    cost = json.loads((out / "cost.json").read_text())
    assert (cost["steps"], cost["clips"]) == (2, 2 * 2 * 2)
    assert sorted(path.name for path in out.rglob("*.ckpt")) == ["best.ckpt", "last.ckpt"]
    assert torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2
    (metrics,) = out.rglob("metrics*.csv")
    with metrics.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["step"] for row in rows if row.get("train/loss_step")] == ["0", "1"]
    assert len([row for row in rows if row.get("val/top1")]) == 1
