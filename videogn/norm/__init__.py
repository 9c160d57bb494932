"""Normalisation over (T, H, W): one class or function per norm, chosen by name.

Every norm computes

    y = gamma * (x - mu_i) / sqrt(var_i + eps) + beta

with gamma and beta per channel. Norms differ in S_i, the set of positions that share mu_i and var_i (GN paper,
equations 1, 2 and 6), or in the origin of mu_i and var_i. For video the paper's (H, W) becomes (T, H, W). A position is
k = (k_N, k_C, k_T, k_H, k_W). In training every variance that normalises is the biased one; running variances,
for evaluation, are what each layer says, PyTorch's of the unbiased one. A few have another formula, which their
docstrings state, and an activation of their own in place of ReLU.
"""

from videogn.norm.table import NORMS, NormFactory, make_norm

__all__ = ["NORMS", "NormFactory", "make_norm"]
