"""The definition of a norm by loops: y = gamma (x - mu) / sqrt(var + eps) + beta, mu and var over one set at a time."""

from __future__ import annotations

import itertools

import numpy as np
import torch


def randomised(layer, seed=1):
    """The layer in float64 with other gammas and betas than 1 and 0, its running statistics as they are."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return layer.double()


def moments(values):
    """Mean and biased variance, one number after the other."""
    values = [float(v) for v in np.asarray(values).ravel()]
    mean = sum(values) / len(values)
    return mean, sum((v - mean) ** 2 for v in values) / len(values)


def normalised(x, sets, gamma, beta, eps):
    """The definition, one set of positions after the other; `sets` are index tuples, biased variance."""
    y = np.empty_like(x)
    for where in sets:
        mean, variance = moments(x[where])
        y[where] = (x[where] - mean) / (variance + eps) ** 0.5
    return affine(y, gamma, beta)


def affine(y, gamma, beta):
    """gamma y + beta for every channel."""
    return y * gamma[None, :, None, None, None] + beta[None, :, None, None, None]


def group_sets(shape, groups):
    """S_i = {k : k_N = i_N, same group of channels}."""
    size = shape[1] // groups
    return [
        (slice(n, n + 1), slice(g * size, (g + 1) * size)) for n, g in itertools.product(range(shape[0]), range(groups))
    ]


def batch_sets(shape, clips=None):
    """S_i = {k : k_C = i_C, same `clips` consecutive clips}; None is the whole batch."""
    clips = clips or shape[0]
    return [
        (slice(first, first + clips), slice(c, c + 1))
        for first, c in itertools.product(range(0, shape[0], clips), range(shape[1]))
    ]


def tensor_sets(shape, name, clips=1, groups=2):
    """S_i of a norm that normalises by the statistics of its own input, by the norm's name."""
    return {
        "bn": batch_sets(shape),
        "sync_bn": batch_sets(shape),
        "sub_bn": batch_sets(shape, clips),
        "gn": group_sets(shape, groups),
        "ws+gn": group_sets(shape, groups),
        "ln": group_sets(shape, 1),
        "in": group_sets(shape, shape[1]),
    }[name]
