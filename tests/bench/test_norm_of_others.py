"""benchmarks/norm_of_others.py against its definition: the other clips of the batch, concatenated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from norm_of_others import NormOfOthers


@pytest.mark.parametrize("clips", [1, 2, 3])
def test_each_clip_is_normalised_by_the_next_ones(clips):
    torch.manual_seed(0)
    x = torch.randn(4, 3, 2, 3, 5, dtype=torch.float64) * 3 + 50
    norm = NormOfOthers(3, clips=clips, momentum=1.0).double()
    torch.nn.init.uniform_(norm.weight)
    torch.nn.init.uniform_(norm.bias)
    found = norm(x)
    means, variances = [], []
    for i in range(4):
        others = torch.cat([x[(i + k + 1) % 4].flatten(1) for k in range(clips)], dim=1)
        means.append(others.mean(1))
        variances.append(others.var(1))
        normalised = (x[i].flatten(1) - means[i][:, None]) / (others.var(1, correction=0) + 1e-5).sqrt()[:, None]
        expected = normalised * norm.weight[:, None] + norm.bias[:, None]
        torch.testing.assert_close(found[i].flatten(1), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))


def test_in_evaluation_it_is_batch_norm():
    torch.manual_seed(0)
    norm, reference = NormOfOthers(3).eval(), torch.nn.BatchNorm3d(3).eval()
    x = torch.randn(2, 3, 2, 4, 4)
    torch.testing.assert_close(norm(x), reference(x))


def test_a_batch_without_others_is_refused():
    with pytest.raises(ValueError, match=r"^the batch must have more clips than clips=2, got 2$"):
        NormOfOthers(3)(torch.zeros(2, 3, 2, 4, 4))
