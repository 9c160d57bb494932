"""Why BatchNorm is worse in small batches, measured on the networks of a study: `docs/results/small-batches.md`.

    python benchmarks/small_batches.py motion-norms --out small-batches

For every cell of the study with BN, GN or a norm over sub-batches: its test accuracy when other statistics are put in
the place of its own, how far the statistics of a batch are from those of all clips, and how much of a gradient is
noise. What is there is not made again, so that the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.bench.workload import find_records
from videogn.choices import EvaluationViews, chosen
from videogn.data.datamodule import VideoDataModule
from videogn.evaluation import clip_probabilities
from videogn.inference.loading import load_network
from videogn.inference.unlabelled_clips import read_clips
from videogn.norm.precise_statistics import (
    batch_statistics,
    precise_statistics,
    running_statistics,
    tracking_layers,
)
from videogn.study.cell import Cell
from videogn.study.study_files import cell_folder, read_study
from videogn.system.files import write_json
from videogn.training.callbacks.diagnosis import distances
from videogn.video.transforms import normalise, views_of

NORMS = ("bn", "gn", "sub_bn")
#: Numbers of clips that a norm may see in a step of the study.
SIZES = (8, 4, 2)
#: Clips in an optimiser step.
STEP = 8
#: Steps of training clips that statistics and gradients are taken over.
STEPS = 60
#: Random divisions of the same clips into the batches of a norm.
DIVISIONS = 2


class Clips:
    """Training and test clips of a kind of cell, normalised.

    Attributes:
        train: Steps of training clips with their labels: (8, 3, T, H, W) and (8,).
        test: Test clips (videos, clips, 3, T, H, W).
        labels: Labels of the test videos.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        _, about = load_network(folder / "checkpoints" / "last.ckpt")
        given = yaml.safe_load((folder / "fit.yaml").read_text())["data"]
        views = chosen(EvaluationViews, about)
        module = VideoDataModule(**{**given, **asdict(views), "root": str(data), "batch_size": STEP})
        loader = module.training_loader(seed=12345)
        self.train: list[tuple[Tensor, Tensor]] = []
        prepared = functools.partial(normalise, mean=torch.tensor(about["mean"]), std=torch.tensor(about["std"]))
        for epoch in range(-(-STEPS // len(loader))):
            loader.sampler.set_epoch(epoch)
            for batch in loader:
                labels = torch.tensor([sample.label for sample in batch.samples])
                self.train.append((prepared(views_of(*batch.samples)), labels))
        del self.train[STEPS:]
        records = find_records([str(data / "val")])
        videos, failed = read_clips(records, views)
        assert not failed
        self.test = torch.stack([prepared(torch.stack(clips)) for clips in videos])
        self.labels = torch.tensor([about["class_names"].index(Path(record.path).parent.name) for record in records])


def accuracies(net: nn.Module, clips: Clips, batch: int) -> dict[str, float]:
    """Measure the accuracy on the test videos with different statistics.

    Args:
        net: Network, which is left as it is.
        clips: Clips.
        batch: Clips that the norm saw in training.

    Returns:
        Top-1 over the clips of a video, with: `running`, the network's own running statistics; `precise`, those of all
        training clips; `average B`, the average statistics of batches of B training clips, the limit of the running
        ones; `batch B`, those of the B test clips that are normalised together, as in training. The last ones on
        training clips too, one clip each, as `train running` and `train batch B`.
    """
    found = {"running": top1(net, clips), "train running": train_top1(net, clips, None)}
    layers = tracking_layers(net)
    if not layers:
        return found
    sizes = sorted({*SIZES, batch}, reverse=True)
    for name, size, variance in [("precise", batch, "population"), *((f"average {b}", b, "batch") for b in sizes)]:
        other = copy.deepcopy(net)
        precise_statistics(other, divided(clips.train, size), variance=variance)
        found[name] = top1(other, clips)
    for size in sizes:
        found[f"batch {size}"] = top1(net, clips, together=size)
        found[f"train batch {size}"] = train_top1(net, clips, size)
    return found


def divided(steps: Iterable[tuple[Tensor, Tensor]], size: int) -> Iterable[Tensor]:
    """Clips of the steps, in batches of `size`."""
    for inputs, _ in steps:
        yield from inputs.split(size)


@torch.no_grad()
def top1(net: nn.Module, clips: Clips, together: int | None = None) -> float:
    """Share of the test videos that get their class; `together` random clips share their statistics, if any do."""
    flat = clips.test.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(flat), generator=generator) if together else torch.arange(len(flat))
    found = torch.empty(len(flat), len(clips.labels.unique()))
    with batch_statistics(tracking_layers(net) if together else {}) as take:
        for part in order.split(together or 32):
            found[part] = clip_probabilities(net(flat[part]))
            take()
    predicted = found.unflatten(0, clips.test.shape[:2]).mean(1).argmax(1)
    return float((predicted == clips.labels).double().mean())


@torch.no_grad()
def train_top1(net: nn.Module, clips: Clips, together: int | None) -> float:
    """Share of the training clips that get their class, by the running statistics or those of `together` clips."""
    right = []
    with batch_statistics(tracking_layers(net) if together else {}) as take:
        for inputs, labels in clips.train:
            for part, of_part in zip(inputs.split(together or STEP), labels.split(together or STEP), strict=True):
                right.append(clip_probabilities(net(part)).argmax(1) == of_part)
                take()
    return float(torch.cat(right).double().mean())


def batch_distances(net: nn.Module, clips: Clips, batch: int) -> dict[str, dict[str, float]]:
    """Measure how far the statistics of batches are from those of all clips, the mean over layers and batches.

    Returns:
        Clips a batch -> `mean` and `std` distance, see `videogn.training.callbacks.diagnosis.distances`. And
        `running`: the distance of the network's running statistics.
    """
    layers = tracking_layers(net)
    if not layers:
        return {}
    precise = copy.deepcopy(net)
    population = precise_statistics(precise, divided(clips.train, batch))
    eps = {name: float(getattr(layer, "eps", 1e-5)) for name, layer in layers.items()}

    def apart(statistics: dict[str, Any]) -> list[tuple[float, float]]:
        return [distances(statistics[name], population[name], eps[name]) for name in layers]

    found = {"running": apart(running_statistics(layers))}
    for size in SIZES:
        found[str(size)] = []
        with torch.no_grad(), batch_statistics(layers) as take:
            for part in divided(clips.train[: STEPS // 2], size):
                net(part)
                found[str(size)] += apart(take())
    means = {name: torch.tensor(values).double().mean(0) for name, values in found.items()}
    return {name: {"mean": float(mean), "std": float(std)} for name, (mean, std) in means.items()}


def gradient_noise(net: nn.Module, clips: Clips) -> dict[str, dict[str, float]]:
    """Measure the noise of the gradient of a step of 8 clips when the norm sees 8, 4 or 2 of them at once.

    With g the gradient of a step, |E g|^2 is estimated without bias from steps of different clips, and the noise is
    tr Cov(g) / |E g|^2: what McCandlish et al. 2018 (section 2.2) call the simple noise scale, here in steps.
    `division` is the part of tr Cov(g) that comes from which of the same clips stand together.

    Returns:
        Clips that the norm sees -> `signal`, `variance`, `noise`, `division` and `loss`; only of 8 if the norm does not
        look at the batch.
    """
    generator = torch.Generator().manual_seed(0)
    found = {}
    for size in SIZES if tracking_layers(net) else (STEP,):
        divisions = 1 if size == STEP else DIVISIONS
        gradients, losses = [], []
        for inputs, labels in clips.train:
            for _ in range(divisions):
                parts = torch.randperm(STEP, generator=generator).split(size)
                gradient, loss = gradient_of([(inputs[part], labels[part]) for part in parts], net)
                gradients.append(gradient)
                losses.append(loss)
        of_steps = torch.stack(gradients).double().unflatten(0, (STEPS, divisions))
        within = of_steps.var(1).sum(-1).mean() if divisions > 1 else torch.zeros(())
        first = of_steps[:, 0]
        total = first.var(0).sum()
        signal = first.mean(0).square().sum() - total / STEPS
        found[str(size)] = {
            "signal": float(signal),
            "variance": float(total),
            "noise": float(total / signal),
            "division": float(within / total),
            "loss": sum(losses) / len(losses),
        }
    return found


def gradient_of(parts: Sequence[tuple[Tensor, Tensor]], net: nn.Module) -> tuple[Tensor, float]:
    """The gradient of a step in one row, and its loss; the norm sees one part after the other, without dropout."""
    net.zero_grad()
    loss = 0.0
    with batch_statistics(tracking_layers(net)):
        for inputs, labels in parts:
            of_part = F.cross_entropy(net(inputs).flatten(2).mean(2), labels) / len(parts)
            of_part.backward()
            loss += of_part.item()
    return torch.cat([weight.grad.flatten() for weight in net.parameters() if weight.grad is not None]), loss


def measured(folder: Path, cell: Cell, clips: Clips) -> dict[str, Any]:
    """Measure everything of a cell."""
    checkpoints = folder / "checkpoints"
    net, _ = load_network(checkpoints / "last.ckpt")
    parts = sorted(checkpoints.glob("after*.ckpt"))
    nets = {path.stem: load_network(path)[0] for path in parts} or {"last": net}
    batch = int(dict(cell.norm.options).get("clips", cell.batch_size))
    return {
        "norm": cell.norm.name,
        "batch": cell.batch_size,
        "sees": batch,
        "seed": cell.seed,
        "top1": accuracies(net, clips, batch),
        "distance": batch_distances(net, clips, batch),
        "gradient": {name: gradient_noise(of_part, clips) for name, of_part in nets.items()},
    }


def main() -> None:
    """Measure what is missing, and write a file for each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="Folder of the study.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the results.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    of_length: dict[int, Clips] = {}
    for cell in read_study(options.study).results:
        place, folder = options.out / f"{cell.name}.json", cell_folder(options.study, cell)
        if cell.norm.name not in NORMS or place.exists():
            continue
        if cell.clip_length not in of_length:
            of_length[cell.clip_length] = Clips(folder, options.study / "motion")
        write_json(place, measured(folder, cell, of_length[cell.clip_length]))
        print(place.name, json.dumps(json.loads(place.read_text())["top1"]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
