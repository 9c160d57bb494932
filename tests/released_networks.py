"""The networks of the Non-local release in plain functions, and files of its form with random weights.

Written from its definition (lib/models/resnet_video_org.py for 32x2 and 128x1, resnet_video.py for 8x8 and 32x4):
kernels (t, h, w), no bias in a convolution, after it `s (x - rm) / sqrt(riv + eps) + b`, or `s x + b` if it is affine.
"""

from __future__ import annotations

import pickle

import numpy as np
import torch
from torch.nn import functional as F

EPS = 1.0000001e-5
BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
#: Radius of the temporal kernel of every block's first convolution.
TEMPORAL = {2: (1, 1, 1), 3: (1, 0, 1, 0), 4: (1, 0, 1, 0, 1, 0), 5: (0, 1, 0)}
#: Clips -> temporal stride of conv1 and temporal kernel (and stride) of pool1.
STEMS = {"32x2": (2, 2), "128x1": (2, 2), "8x8": (1, 1), "32x4": (1, 1)}


def released_blobs(width=64, classes=400, affine=False, dimensions=3, seed=0):
    """Blobs of the release's names, shapes and dtype: `width` 64 there, `dimensions` 2 in its ImageNet start."""
    random = np.random.default_rng(seed)
    blobs = {}

    def conv(name, out, into, kernel):
        kernel = kernel if dimensions == 3 else kernel[1:]
        fan_in = into * int(np.prod(kernel))
        blobs[f"{name}_w"] = random.normal(0, (2 / fan_in) ** 0.5, (out, into, *kernel))

    def norm(name, channels, scale=1.0):
        blobs[f"{name}_s"] = scale * random.normal(1, 0.1, channels)
        blobs[f"{name}_b"] = random.normal(0, 0.1, channels)
        if not affine:
            blobs[f"{name}_rm"] = random.normal(0, 0.1, channels)
            blobs[f"{name}_riv"] = random.uniform(0.5, 1.5, channels)

    conv("conv1", width, 3, (5, 7, 7))
    norm("res_conv1_bn", width)
    channels = width
    for stage, count in BLOCKS.items():
        inner = width * 2 ** (stage - 2)
        for block in range(count):
            name = f"res{stage}_{block}_branch"
            conv(f"{name}2a", inner, channels, (1 + 2 * TEMPORAL[stage][block], 1, 1))
            conv(f"{name}2b", inner, inner, (1, 3, 3))
            conv(f"{name}2c", 4 * inner, inner, (1, 1, 1))
            for letter, size, scale in (("a", inner, 1), ("b", inner, 1), ("c", 4 * inner, 0.3)):
                norm(f"{name}2{letter}_bn", size, scale)
            if block == 0:
                conv(f"{name}1", 4 * inner, channels, (1, 1, 1))
                norm(f"{name}1_bn", 4 * inner)
            channels = 4 * inner
    blobs["pred_w"] = random.normal(0, 0.05, (classes, channels))
    blobs["pred_b"] = random.normal(0, 0.05, classes)
    return {name: blob.astype("f4") for name, blob in blobs.items()}


def solver_state(blobs):
    """What a checkpoint of the release holds beside the weights."""
    momentum = {f"{name}_momentum": np.zeros_like(blob) for name, blob in blobs.items() if not name.endswith("_riv")}
    return {**blobs, **momentum, "model_iter": 400000, "lr": np.array(0.0001, "f4")}


def write(path, blobs, wrapped=True):
    """Write a file as the release does, `{"blobs": {...}}`, or flat as its converter does."""
    path.write_bytes(pickle.dumps({"blobs": blobs} if wrapped else blobs, 2))
    return path


def released_logits(blobs, clips, stem, window=7):
    """Logits (B, K, T', H', W') of clips (B, 3, T, H, W), float64, fully convolutional over square windows."""
    blobs = {name: torch.from_numpy(np.asarray(blob)).double() for name, blob in blobs.items()}
    stride, pool = STEMS[stem]

    def normed(x, name):
        shape = (1, -1, 1, 1, 1)
        scale, shift = blobs[f"{name}_s"], blobs[f"{name}_b"]
        if f"{name}_riv" in blobs:
            x = (x - blobs[f"{name}_rm"].view(shape)) / (blobs[f"{name}_riv"] + EPS).sqrt().view(shape)
        return scale.view(shape) * x + shift.view(shape)

    x = F.conv3d(clips.double(), blobs["conv1_w"], stride=(stride, 2, 2), padding=(2, 3, 3))
    x = F.max_pool3d(F.relu(normed(x, "res_conv1_bn")), (pool, 3, 3), (pool, 2, 2))
    for stage, count in BLOCKS.items():
        for block in range(count):
            name = f"res{stage}_{block}_branch"
            spatial = 2 if block == 0 and stage > 2 else 1
            y = F.conv3d(x, blobs[f"{name}2a_w"], padding=(TEMPORAL[stage][block], 0, 0))
            y = F.relu(normed(y, f"{name}2a_bn"))
            y = F.conv3d(y, blobs[f"{name}2b_w"], stride=(1, spatial, spatial), padding=(0, 1, 1))
            y = F.relu(normed(y, f"{name}2b_bn"))
            y = normed(F.conv3d(y, blobs[f"{name}2c_w"]), f"{name}2c_bn")
            if block == 0:
                x = normed(F.conv3d(x, blobs[f"{name}1_w"], stride=(1, spatial, spatial)), f"{name}1_bn")
            x = F.relu(x + y)
        if stage == 2:
            x = F.max_pool3d(x, (2, 1, 1), (2, 1, 1))
    x = F.avg_pool3d(x, (x.shape[2], window, window), stride=1)
    return torch.einsum("bcthw,kc->bkthw", x, blobs["pred_w"]) + blobs["pred_b"].view(1, -1, 1, 1, 1)
