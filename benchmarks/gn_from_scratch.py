"""Why GroupNorm from random weights can stay at chance with SGD: `docs/results/gn-from-scratch.md`.

    python benchmarks/gn_from_scratch.py --out gn-from-scratch                        # drawn clips
    python benchmarks/gn_from_scratch.py --out gn-from-scratch --train DIR --held-out DIR --interval 4

One network, one training run, one thing changed at a time. What is there is not made again, so that the same command
goes on after a stop.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from channel_state import channel_state, inputs_of
from fixed_camera import Clips, draw_fixed_camera, read_videos
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.models import i3d_tiny
from videogn.models.blocks import ResidualBlock
from videogn.models.head import FullyConvolutionalHead
from videogn.system.files import write_json
from videogn.training.optimisation import make_schedule, parameter_groups
from videogn.video.transforms import normalise

#: Steps between two measurements of the channels, and clips that they are measured on.
EVERY, WATCHED = 12, 24


@dataclass(frozen=True)
class Trial:
    """A training run: what the first one of `TRIALS` does, except for what a trial changes.

    Attributes:
        norm: Norm.
        groups: Number of groups of norms that have them.
        optimizer: Class of torch.optim. SGD has Nesterov momentum.
        lr: Highest learning rate; a cosine after the warm-up.
        momentum: Momentum of SGD.
        nesterov: Whether it is Nesterov's.
        weight_decay: Weight decay of weights.
        warmup: Share of the run in which the rate rises.
        clipping: Largest norm of the gradient; 0 for no bound.
        epochs: Passes over the training videos.
        batch: Clips a step.
        balanced: Whether every batch has equally many clips of every class.
        zero_gamma: Whether the last norm of every block starts with gamma 0.
        head_std: Standard deviation of the classifier's initial weights.
        head_rate: Factor on the learning rate of the classifier.
        centred: Whether the classifier sees features less their mean over the training clips before the first step.
        without_background: Whether clips come less their mean over the training clips.
    """

    norm: str = "gn"
    groups: int = 4
    optimizer: str = "SGD"
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    warmup: float = 0.05
    clipping: float = 0.0
    epochs: int = 20
    batch: int = 8
    balanced: bool = False
    zero_gamma: bool = True
    head_std: float = 0.01
    head_rate: float = 1.0
    centred: bool = False
    without_background: bool = False


_BASE = Trial()
_ADAMW = replace(_BASE, optimizer="AdamW", lr=0.001, weight_decay=0.05)

#: Name -> trial, in the order of the table.
TRIALS = {
    "SGD 0.05": _BASE,
    "classifier sees centred features": replace(_BASE, centred=True),
    "clips without the background": replace(_BASE, without_background=True),
    "batch 12": replace(_BASE, batch=12),
    "batch 12, classes balanced": replace(_BASE, batch=12, balanced=True),
    "classifier at a tenth of the rate": replace(_BASE, head_rate=0.1),
    "SGD 0.003": replace(_BASE, lr=0.003),
    "SGD 0.01": replace(_BASE, lr=0.01),
    "SGD 0.02": replace(_BASE, lr=0.02),
    "SGD 0.1": replace(_BASE, lr=0.1),
    "gradient clipped to norm 1": replace(_BASE, clipping=1.0),
    "warm-up over 30 %": replace(_BASE, warmup=0.3),
    "three times the epochs": replace(_BASE, epochs=60),
    "plain momentum": replace(_BASE, nesterov=False),
    "no momentum": replace(_BASE, momentum=0.0, nesterov=False),
    "no momentum, rate 0.5": replace(_BASE, momentum=0.0, nesterov=False, lr=0.5),
    "no weight decay": replace(_BASE, weight_decay=0.0),
    "no zero gammas": replace(_BASE, zero_gamma=False),
    "classifier starts at 0": replace(_BASE, head_std=0.0),
    "classifier starts at 0.1": replace(_BASE, head_std=0.1),
    "1 group (LN)": replace(_BASE, norm="ln"),
    "16 groups": replace(_BASE, groups=16),
    "IN": replace(_BASE, norm="in"),
    "WS+GN": replace(_BASE, norm="ws+gn"),
    "BCN": replace(_BASE, norm="bcn"),
    "WS+GN, SGD 0.01": replace(_BASE, norm="ws+gn", lr=0.01),
    "BCN, SGD 0.01": replace(_BASE, norm="bcn", lr=0.01),
    "AdamW 0.001": _ADAMW,
    "AdamW 0.003": replace(_ADAMW, lr=0.003),
    "AdamW 0.01": replace(_ADAMW, lr=0.01),
    "AdamW 0.001, clipped, warm-up": replace(_ADAMW, clipping=1.0, warmup=0.1),
    "AdamW 0.003, clipped, warm-up": replace(_ADAMW, lr=0.003, clipping=1.0, warmup=0.1),
    "BN: SGD 0.01": replace(_BASE, norm="bn", lr=0.01),
    "BN: SGD 0.05": replace(_BASE, norm="bn"),
    "BN: SGD 0.1": replace(_BASE, norm="bn", lr=0.1),
    "BN: SGD 0.2": replace(_BASE, norm="bn", lr=0.2),
    "BN: AdamW 0.001": replace(_ADAMW, norm="bn"),
}


def run(trial: Trial, data: Clips, seed: int) -> dict[str, Any]:
    """Train, and measure on the way.

    Returns:
        `losses` of the steps; `states`, the channels' every few steps; of the end, `train_loss` of the last epoch,
        `chance` (entropy of the training classes), `top1` of the held-out videos.
    """
    torch.manual_seed(seed)
    classes = len(data.labels.unique())
    background = data.train.double().mean((0, 1)).float() - 115 if trial.without_background else torch.zeros(())

    def prepared(clips: Tensor) -> Tensor:
        return normalise(clips.float() - background, torch.full((3,), 0.45), torch.full((3,), 0.225))

    net = network(trial, classes)
    watched = prepared(data.train[spread(len(data.train), WATCHED), 0])
    if trial.centred:
        centre_features(net, prepared(data.train[:, 0]))
    optimizer = make_optimizer(trial, net)
    steps = trial.epochs * (len(data.train) // trial.batch)
    factor = make_schedule("cosine", total_steps=steps, warmup=trial.warmup, milestones=(), gamma=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    losses: list[float] = []
    states: list[dict[str, float]] = []
    for step, videos in enumerate(batches(trial, data.labels)):
        if step % EVERY == 0:
            states.append({"step": step, **channel_state(net, watched, classes)})
        chosen = torch.randint(data.train.shape[1], (len(videos),))
        loss = F.cross_entropy(net(prepared(data.train[videos, chosen])).flatten(1), data.labels[videos])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), trial.clipping or math.inf)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    states.append({"step": steps, **channel_state(net, watched, classes)})
    last = losses[-(steps // trial.epochs) :]
    shares = data.labels.bincount().double() / len(data.labels)
    return {
        "losses": [round(loss, 5) for loss in losses],
        "states": states,
        "train_loss": sum(last) / len(last),
        "chance": float(-(shares * shares.log()).sum()),
        "top1": top1(net, prepared, data),
    }


def network(trial: Trial, classes: int) -> nn.Module:
    """Build the network, and change its initial weights as the trial says."""
    options = {"groups": trial.groups} if trial.norm in ("gn", "ws+gn", "bcn") else None
    net = i3d_tiny(classes, trial.norm, options)
    for module in net.modules():
        if isinstance(module, ResidualBlock) and not trial.zero_gamma:
            nn.init.ones_(module.branch2.last_norm.weight)  # type: ignore[arg-type]
        if isinstance(module, FullyConvolutionalHead):
            nn.init.normal_(module.proj.weight, 0.0, trial.head_std)
    return net


def head_of(net: nn.Module) -> nn.Linear:
    """The classifier."""
    return net.blocks[-1].proj  # type: ignore[index, union-attr, return-value]


def centre_features(net: nn.Module, clips: Tensor) -> None:
    """Subtract the mean of the features of `clips`, as they are now, from all features that the classifier sees."""
    with torch.no_grad(), inputs_of({"head": head_of(net)}) as seen:
        for part in clips.split(24):
            net(part)
    centre = torch.cat(seen["head"]).mean(0)
    head_of(net).register_forward_pre_hook(lambda module, inputs: (inputs[0] - centre,))


def make_optimizer(trial: Trial, net: nn.Module) -> torch.optim.Optimizer:
    """Make the optimiser; weight decay is on weights only, as in `videogn fit`."""
    options: dict[str, Any] = {"lr": trial.lr, "weight_decay": trial.weight_decay}
    if trial.optimizer == "SGD":
        options |= {"momentum": trial.momentum, "nesterov": trial.nesterov}
    head = head_of(net)
    body = nn.ModuleList(module for module in [*net.blocks[:-1]])  # type: ignore[index]
    groups = [*parameter_groups(body)]
    groups += [{**group, "lr": trial.lr * trial.head_rate} for group in parameter_groups(head)]
    return getattr(torch.optim, trial.optimizer)(groups, **options)


def batches(trial: Trial, labels: Tensor) -> Iterator[Tensor]:
    """Draw the videos of every step; what is left of an epoch after the last whole batch is not trained on."""
    for _ in range(trial.epochs):
        order = torch.randperm(len(labels))
        if trial.balanced:  # one of each class in turn
            order = torch.stack([order[labels[order] == label] for label in labels.unique()], 1).flatten()
        yield from order[: len(order) // trial.batch * trial.batch].split(trial.batch)


@torch.no_grad()
def top1(net: nn.Module, prepared: Callable[[Tensor], Tensor], data: Clips) -> float:
    """Share of the held-out videos that get their class."""
    net.eval()
    classes = torch.cat([net(prepared(part)).flatten(1).argmax(1) for part in data.held_out.split(24)])
    return float((classes == data.held_out_labels).double().mean())


def spread(length: int, number: int) -> Tensor:
    """`number` places evenly spread over `length`."""
    return torch.arange(number) * length // number


def main() -> None:
    """Run what is missing, and print a line for each trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Folder of the results.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trials", nargs="+", default=list(TRIALS), help="Names of trials. Default: all.")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--contrast", type=float, default=40.0, help="Grey levels of what differs in drawn clips.")
    parser.add_argument("--train", type=Path, help="Videos to train on, in place of drawn clips.")
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--interval", type=int, default=4, help="Frames from one frame of a clip to the next.")
    parser.add_argument("--every", type=int, default=1, help="Every how manyth training video is taken.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.train is None:
        data = draw_fixed_camera(options.contrast)
    else:
        data = read_videos(options.train, options.held_out, interval=options.interval, every=options.every)
    for name in options.trials:
        trial = replace(TRIALS[name], epochs=TRIALS[name].epochs * options.epochs // _BASE.epochs)
        results = []
        for seed in options.seeds:
            place = options.out / f"{name}, seed {seed}.json"
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                write_json(place, {"trial": asdict(trial), **run(trial, data, seed)})
            results.append(json.loads(place.read_text()))
        print(line(name, results), flush=True)  # noqa: T201


def line(name: str, results: list[dict[str, Any]]) -> str:
    """A row of the page's table: of each seed the loss, the accuracy and the channels at the end."""
    last = [result["states"][-1] for result in results]
    cells = [
        " ".join(f"{result['train_loss']:.2f}" for result in results),
        " ".join(f"{100 * result['top1']:.0f}" for result in results),
        " ".join(f"{max(result['losses']):.1f}" for result in results),
        " ".join(f"{state['shared']:.3g}" for state in last),
        " ".join(f"{state['differing']:.3g}" for state in last),
        " ".join(f"{100 * state['dead']:.0f}" for state in last),
    ]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
