"""Triton kernels of GroupNorm with an optional sum and ReLU, for activations whose channels are innermost in memory.

All take activations (N, P, C) of P positions, compute in float32 and are deterministic: sums go into memory by blocks,
and are added in one order. What launches them is `videogn.norm.triton_group_norm`.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: Whether the kernels run in Triton's interpreter, on a CPU: the environment variable TRITON_INTERPRET was 1 before.
INTERPRETED = triton.knobs.runtime.interpret

# Sizes that change from clip to clip are no reason to compile again.
_VARYING = ["positions", "blocks", "steps", "rows", "stride"]


@triton.jit
def _activated(value, gamma, beta, mean, rstd):
    """Output before the sum: the same bits in both passes, since the sign of ReLU's input decides in both."""
    return tl.fma((value - mean) * rstd, gamma, beta)


@triton.jit
def _passed(dy, value, gamma, beta, mean, rstd, y, offsets, mask, RELU: tl.constexpr, RESIDUAL: tl.constexpr):
    """Gradient behind ReLU. With a sum, the sign is that of the output, which saves reading the other summand."""
    if RELU:
        if RESIDUAL:
            output = tl.load(y + offsets, mask=mask, other=0.0).to(tl.float32)
        else:
            output = _activated(value, gamma, beta, mean, rstd)
        dy = tl.where(output <= 0, 0.0, dy)  # that of NaN goes on, as PyTorch's
    return dy


@triton.jit
def _output(value, gamma, beta, mean, rstd, residual, offsets, mask, RELU: tl.constexpr, RESIDUAL: tl.constexpr):
    result = _activated(value, gamma, beta, mean, rstd)
    if RESIDUAL:
        result += tl.load(residual + offsets, mask=mask, other=0.0).to(tl.float32)
    if RELU:
        result = tl.where(result <= 0, 0.0, result)  # a maximum would hide NaN
    return result


@triton.jit(do_not_specialize=_VARYING)
def moments(x, means, squares, positions, blocks, steps, C: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr):
    """Of each channel over a block of `steps` x BLOCK_P positions: mean, and sum of squared deviations from it.

    Welford's update in every lane, then Chan's formula over the lanes. All is relative to the block's first value, so
    that a mean that is large against the deviation costs no digits.
    """
    program = tl.program_id(0)  # sample * blocks + block
    channels = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    known = channels < C
    lanes = tl.arange(0, BLOCK_P)
    first = (program % blocks) * steps * BLOCK_P
    x += ((program // blocks).to(tl.int64) * positions + first) * C
    offsets = lanes[:, None] * C + channels[None, :]
    pivot = tl.load(x + channels, mask=known, other=0.0).to(tl.float32)
    mean = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    square = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for step in range(steps):
        here = ((first + step * BLOCK_P + lanes) < positions)[:, None] & known[None, :]
        value = tl.load(x + step * BLOCK_P * C + offsets, mask=here, other=0.0).to(tl.float32) - pivot[None, :]
        change = value - mean
        updated = mean + change / (step + 1)
        square = tl.where(here, square + change * (value - updated), square)
        mean = tl.where(here, updated, mean)
    number = tl.minimum(positions - first, steps * BLOCK_P)
    counts = ((number - lanes + (BLOCK_P - 1)) // BLOCK_P).to(tl.float32)[:, None]  # of the positions of each lane
    middle = tl.sum(mean * counts, 0) / number
    deviation = mean - middle[None, :]
    total = tl.sum(square + deviation * deviation * counts, 0)
    place = program.to(tl.int64) * C + channels
    tl.store(means + place, middle + pivot, mask=known)
    tl.store(squares + place, total, mask=known)


@triton.jit(do_not_specialize=_VARYING)
def merge_moments(
    means, squares, mean, rstd, positions, blocks, rows, eps, C: tl.constexpr, GROUPS: tl.constexpr, BLOCK: tl.constexpr
):
    """Mean and 1 / sqrt(variance + eps) of a group, from those of its channels over blocks of `rows` positions."""
    program = tl.program_id(0)  # sample * GROUPS + group
    size = C // GROUPS
    start = (program // GROUPS).to(tl.int64) * blocks * C + (program % GROUPS) * size
    means += start
    squares += start
    entries = blocks * size
    elements = positions.to(tl.float32) * size
    pivot = tl.load(means)
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, entries, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        here = entry < entries
        block = entry // size
        count = tl.minimum(positions - block * rows, rows).to(tl.float32)
        each = tl.load(means + block * C + entry % size, mask=here, other=0.0)
        total += tl.where(here, (each - pivot) * count, 0.0)
    shift = tl.sum(total, 0) / elements
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, entries, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        here = entry < entries
        block = entry // size
        count = tl.minimum(positions - block * rows, rows).to(tl.float32)
        each = tl.load(means + block * C + entry % size, mask=here, other=0.0) - pivot - shift
        square = tl.load(squares + block * C + entry % size, mask=here, other=0.0)
        total += tl.where(here, square + each * each * count, 0.0)
    tl.store(mean + program, pivot + shift)
    tl.store(rstd + program, tl.rsqrt(tl.sum(total, 0) / elements + eps))


@triton.jit(do_not_specialize=_VARYING)
def normalise(
    x, residual, y, weight, bias, mean, rstd, positions, blocks,
    C: tl.constexpr, GROUPS: tl.constexpr, RELU: tl.constexpr, RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Output of BLOCK_P positions."""
    program = tl.program_id(0)  # sample * blocks + block
    channels = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    known = channels < C
    lanes = tl.arange(0, BLOCK_P)
    sample, first = program // blocks, (program % blocks) * BLOCK_P
    start = (sample.to(tl.int64) * positions + first) * C
    offsets = lanes[:, None] * C + channels[None, :]
    here = ((first + lanes) < positions)[:, None] & known[None, :]
    groups = sample * GROUPS + channels // (C // GROUPS)
    gamma = tl.load(weight + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    beta = tl.load(bias + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    middle = tl.load(mean + groups, mask=known, other=0.0)[None, :]
    scale = tl.load(rstd + groups, mask=known, other=0.0)[None, :]
    value = tl.load(x + start + offsets, mask=here, other=0.0).to(tl.float32)
    result = _output(value, gamma, beta, middle, scale, residual + start, offsets, here, RELU, RESIDUAL)
    tl.store(y + start + offsets, result.to(y.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=_VARYING)
def sum_gradients(
    x, y, dy, weight, bias, mean, rstd, sums, positions, blocks, steps, stride,
    C: tl.constexpr, GROUPS: tl.constexpr, RELU: tl.constexpr, RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Of each channel over a block of `steps` x BLOCK_P positions: sums of dz x^ and, `stride` entries on, of dz."""
    program = tl.program_id(0)  # sample * blocks + block
    channels = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    known = channels < C
    lanes = tl.arange(0, BLOCK_P)
    sample, first = program // blocks, (program % blocks) * steps * BLOCK_P
    start = (sample.to(tl.int64) * positions + first) * C
    groups = sample * GROUPS + channels // (C // GROUPS)
    gamma = tl.load(weight + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    beta = tl.load(bias + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    middle = tl.load(mean + groups, mask=known, other=0.0)[None, :]
    scale = tl.load(rstd + groups, mask=known, other=0.0)[None, :]
    of_weight = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    of_bias = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for step in range(steps):
        here = ((first + step * BLOCK_P + lanes) < positions)[:, None] & known[None, :]
        offsets = (step * BLOCK_P + lanes[:, None]) * C + channels[None, :]
        value = tl.load(x + start + offsets, mask=here, other=0.0).to(tl.float32)
        dz = tl.load(dy + start + offsets, mask=here, other=0.0).to(tl.float32)
        dz = _passed(dz, value, gamma, beta, middle, scale, y + start, offsets, here, RELU, RESIDUAL)
        of_weight += dz * tl.where(here, (value - middle) * scale, 0.0)
        of_bias += dz
    place = program.to(tl.int64) * C + channels
    tl.store(sums + place, tl.sum(of_weight, 0), mask=known)
    tl.store(sums + stride + place, tl.sum(of_bias, 0), mask=known)


@triton.jit(do_not_specialize=_VARYING)
def merge_gradients(
    sums, weight, shares, positions, blocks, stride, C: tl.constexpr, GROUPS: tl.constexpr, BLOCK: tl.constexpr
):
    """Of a group: means of gamma dz x^ and of gamma dz, over all of its elements."""
    program = tl.program_id(0)  # sample * GROUPS + group
    size = C // GROUPS
    group = program % GROUPS
    sums += (program // GROUPS).to(tl.int64) * blocks * C + group * size
    weight += group * size
    entries = blocks * size
    of_hat = tl.zeros((BLOCK,), tl.float32)
    of_one = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, entries, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        here = entry < entries
        place = entry // size * C + entry % size
        gamma = tl.load(weight + entry % size, mask=here, other=0.0).to(tl.float32)
        of_hat += gamma * tl.load(sums + place, mask=here, other=0.0)
        of_one += gamma * tl.load(sums + stride + place, mask=here, other=0.0)
    elements = positions.to(tl.float32) * size
    tl.store(shares + 2 * program, tl.sum(of_hat, 0) / elements)
    tl.store(shares + 2 * program + 1, tl.sum(of_one, 0) / elements)


@triton.jit(do_not_specialize=_VARYING)
def differentiate(
    x, y, dy, dx, dresidual, weight, bias, mean, rstd, shares, positions, blocks,
    C: tl.constexpr, GROUPS: tl.constexpr, RELU: tl.constexpr, RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Gradients of BLOCK_P positions: dx = rstd (gamma dz - mean(gamma dz) - x^ mean(gamma dz x^)), and dz."""
    program = tl.program_id(0)  # sample * blocks + block
    channels = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    known = channels < C
    lanes = tl.arange(0, BLOCK_P)
    sample, first = program // blocks, (program % blocks) * BLOCK_P
    start = (sample.to(tl.int64) * positions + first) * C
    offsets = lanes[:, None] * C + channels[None, :]
    here = ((first + lanes) < positions)[:, None] & known[None, :]
    groups = sample * GROUPS + channels // (C // GROUPS)
    gamma = tl.load(weight + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    beta = tl.load(bias + channels, mask=known, other=0.0).to(tl.float32)[None, :]
    middle = tl.load(mean + groups, mask=known, other=0.0)[None, :]
    scale = tl.load(rstd + groups, mask=known, other=0.0)[None, :]
    of_hat = tl.load(shares + 2 * groups, mask=known, other=0.0)[None, :]
    of_one = tl.load(shares + 2 * groups + 1, mask=known, other=0.0)[None, :]
    value = tl.load(x + start + offsets, mask=here, other=0.0).to(tl.float32)
    dz = tl.load(dy + start + offsets, mask=here, other=0.0).to(tl.float32)
    dz = _passed(dz, value, gamma, beta, middle, scale, y + start, offsets, here, RELU, RESIDUAL)
    result = scale * (gamma * dz - of_one - (value - middle) * scale * of_hat)
    tl.store(dx + start + offsets, result.to(dx.dtype.element_ty), mask=here)
    if RELU and RESIDUAL:
        tl.store(dresidual + start + offsets, dz.to(dresidual.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=_VARYING)
def normalise_at_once(
    x, residual, y, weight, bias, mean, rstd, positions, eps,
    C: tl.constexpr, GROUPS: tl.constexpr, RELU: tl.constexpr, RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Statistics and output of a group that fits on chip: its activations are read once."""
    program = tl.program_id(0)  # sample * GROUPS + group
    size = C // GROUPS
    sample, group = program // GROUPS, program % GROUPS
    own = tl.arange(0, BLOCK_C)
    known = own < size
    lanes = tl.arange(0, BLOCK_P)
    start = sample.to(tl.int64) * positions * C + group * size
    offsets = lanes[:, None] * C + own[None, :]
    here = (lanes < positions)[:, None] & known[None, :]
    elements = positions.to(tl.float32) * size
    gamma = tl.load(weight + group * size + own, mask=known, other=0.0).to(tl.float32)[None, :]
    beta = tl.load(bias + group * size + own, mask=known, other=0.0).to(tl.float32)[None, :]
    pivot = tl.load(x + start).to(tl.float32)
    value = tl.load(x + start + offsets, mask=here, other=0.0).to(tl.float32)
    shifted = tl.where(here, value - pivot, 0.0)
    shift = tl.sum(tl.sum(shifted, 1), 0) / elements
    centred = tl.where(here, shifted - shift, 0.0)
    scale = tl.rsqrt(tl.sum(tl.sum(centred * centred, 1), 0) / elements + eps)
    middle = pivot + shift
    tl.store(mean + program, middle)
    tl.store(rstd + program, scale)
    result = _output(value, gamma, beta, middle, scale, residual + start, offsets, here, RELU, RESIDUAL)
    tl.store(y + start + offsets, result.to(y.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=_VARYING)
def differentiate_at_once(
    x, y, dy, dx, dresidual, weight, bias, mean, rstd, sums, positions, stride,
    C: tl.constexpr, GROUPS: tl.constexpr, RELU: tl.constexpr, RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Gradients of a group that fits on chip, and the sums of its channels for those of gamma and beta."""
    program = tl.program_id(0)  # sample * GROUPS + group
    size = C // GROUPS
    sample, group = program // GROUPS, program % GROUPS
    own = tl.arange(0, BLOCK_C)
    known = own < size
    lanes = tl.arange(0, BLOCK_P)
    start = sample.to(tl.int64) * positions * C + group * size
    offsets = lanes[:, None] * C + own[None, :]
    here = (lanes < positions)[:, None] & known[None, :]
    elements = positions.to(tl.float32) * size
    gamma = tl.load(weight + group * size + own, mask=known, other=0.0).to(tl.float32)
    beta = tl.load(bias + group * size + own, mask=known, other=0.0).to(tl.float32)[None, :]
    middle = tl.load(mean + program)
    scale = tl.load(rstd + program)
    value = tl.load(x + start + offsets, mask=here, other=0.0).to(tl.float32)
    dz = tl.load(dy + start + offsets, mask=here, other=0.0).to(tl.float32)
    dz = _passed(dz, value, gamma[None, :], beta, middle, scale, y + start, offsets, here, RELU, RESIDUAL)
    hat = tl.where(here, (value - middle) * scale, 0.0)
    of_weight, of_bias = tl.sum(dz * hat, 0), tl.sum(dz, 0)
    place = program.to(tl.int64) * size + own
    tl.store(sums + place, of_weight, mask=known)
    tl.store(sums + stride + place, of_bias, mask=known)
    of_hat, of_one = tl.sum(gamma * of_weight, 0) / elements, tl.sum(gamma * of_bias, 0) / elements
    result = scale * (gamma[None, :] * dz - of_one - hat * of_hat)
    tl.store(dx + start + offsets, result.to(dx.dtype.element_ty), mask=here)
    if RELU and RESIDUAL:
        tl.store(dresidual + start + offsets, dz.to(dresidual.dtype.element_ty), mask=here)
