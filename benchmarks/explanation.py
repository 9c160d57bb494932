"""Whether `--explain` finds what counts: `python benchmarks/explanation.py`; about three minutes on one core.

Trains a small network to tell in which of four directions a square moves, beside one that does not. Then, of new
videos that it classifies correctly, hides a quarter of all pixels in each frame: those with the most evidence, random
ones, the moving square with a margin, the still one with a margin. The lower the probability of the class falls, the
more of what counted was hidden.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.axes import Crop, Sample
from videogn.inference.saliency import explain
from videogn.models import make_model

SIZE, SQUARE, FRAMES, STEP = 64, 14, 8, 3
DIRECTIONS = ((0, -1), (0, 1), (-1, 0), (1, 0))
MEAN = STD = torch.full((3,), 0.45)
HIDDEN = 0.25
TEXTURE = (120, 256)


def draw(direction: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a video (T, H, W, 3); where the moving square is, bool (T, H, W); and where the still one is."""
    frames = rng.normal(90, 5, (FRAMES, SIZE, SIZE, 3))
    moving, still = np.zeros((2, FRAMES, SIZE, SIZE), bool)
    textures = rng.uniform(*TEXTURE, (2, SQUARE, SQUARE, 3))
    place = rng.integers(0, SIZE - SQUARE, 2)
    way = STEP * (FRAMES - 1) * np.array(DIRECTIONS[direction])
    start = rng.integers(np.maximum(0, -way), SIZE - SQUARE - np.maximum(0, way))
    for number, frame in enumerate(frames):
        now = start + STEP * number * np.array(DIRECTIONS[direction])
        for (top, left), texture, mask in ((place, textures[0], still), (now, textures[1], moving)):
            part = (slice(top, top + SQUARE), slice(left, left + SQUARE))
            frame[part] = texture
            mask[number][part] = True
    return frames.clip(0, 255).round().astype(np.uint8), moving, still & ~moving


def as_input(videos: list[np.ndarray]) -> Tensor:
    clips = torch.from_numpy(np.stack(videos)).permute(0, 4, 1, 2, 3).float() / 255
    return (clips - MEAN.view(3, 1, 1, 1)) / STD.view(3, 1, 1, 1)


def trained(rng: np.random.Generator) -> torch.nn.Module:
    net = make_model("i3d_tiny", len(DIRECTIONS), "gn", arch_options={"width": 8})
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3)
    right = 0.0
    for _ in range(3000):
        labels = rng.integers(0, len(DIRECTIONS), 8)
        logits = net(as_input([draw(label, rng)[0] for label in labels])).flatten(2).mean(2)
        wanted = torch.from_numpy(labels)
        optimiser.zero_grad()
        F.cross_entropy(logits, wanted).backward()
        optimiser.step()
        right = 0.98 * right + 0.02 * (logits.argmax(1) == wanted).float().mean().item()
        if right > 0.97:
            break
    return net.eval()


def margin(mask: np.ndarray) -> Tensor:
    """The squares of all frames together, with 2 pixels around, in every frame."""
    anywhere = torch.from_numpy(mask.any(axis=0))[None, None].float()
    return F.max_pool2d(anywhere, 5, 1, 2)[0, 0].bool().expand(FRAMES, -1, -1)


def most(values: Tensor) -> Tensor:
    """The quarter of the pixels of each frame with the largest values."""
    return values >= values.flatten(1).quantile(1 - HIDDEN, dim=1)[:, None, None]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = trained(rng)
    fell: dict[str, list[float]] = {}
    shares = []
    for number in range(100):
        label = number % len(DIRECTIONS)
        frames, moving, still = draw(label, rng)
        clip = as_input([frames])

        def probability(clip: Tensor, label: int = label) -> float:
            with torch.no_grad():
                return float(net(clip).flatten(2).mean(2).softmax(1)[0, label])

        if (before := probability(clip)) < 0.5:
            continue
        whole = (Crop(0, 0, SIZE, SIZE),)
        sample = Sample(0, "", -1, torch.from_numpy(frames), torch.arange(FRAMES)[None], whole)
        evidence = torch.from_numpy(explain(net, sample, label, MEAN, STD))
        shares.append(float(evidence[torch.from_numpy(moving)].sum() / evidence.sum()) / moving.mean())
        noise = F.avg_pool2d(torch.rand(FRAMES, 1, SIZE, SIZE), 9, 1, 4)[:, 0]
        masks = {
            "most evidence": most(evidence),
            "random": most(noise),
            "moving": margin(moving),
            "still": margin(still),
        }
        plain = as_input([rng.normal(90, 5, frames.shape).clip(0, 255).astype(np.uint8)])
        fell.setdefault("nothing", []).append(before)
        for name, mask in masks.items():
            fell.setdefault(name, []).append(probability(torch.where(mask, plain, clip)))
    lines = [
        f"{len(shares)} of 100 videos classified correctly",
        f"evidence on the moving square: {np.mean(shares):.1f} times its share of the area",
        *(f"hidden: {name:14s} mean probability of the class {np.mean(values):.2f}" for name, values in fell.items()),
    ]
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
