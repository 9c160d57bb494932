"""GroupNorm's Triton kernels: their cases in processes of their own, and whether they compile for GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")
HERE = Path(__file__).parent
#: Compiles every kernel for an H100, for which none is needed.
COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from videogn.norm import group_norm_kernels as kernels

INTEGERS = {"positions", "blocks", "steps", "rows", "stride"}
ACTIVATIONS = {"x", "y", "dy", "dx", "residual", "dresidual"}
CONSTANTS = {"C": 48, "GROUPS": 3, "RELU": True, "RESIDUAL": True, "BLOCK_P": 16, "BLOCK_C": 64, "BLOCK": 64}


def type_of(name):
    if name in CONSTANTS:
        return "constexpr"
    numbers = "bf16" if name in ACTIVATIONS else "fp32"
    return "i32" if name in INTEGERS else numbers if name == "eps" else "*" + numbers


for name in ("moments", "merge_moments", "normalise", "normalise_at_once", "sum_gradients", "merge_gradients",
             "differentiate", "differentiate_at_once"):
    kernel = getattr(kernels, name)
    signature = {argument: type_of(argument) for argument in kernel.arg_names}
    constants = {argument: CONSTANTS[argument] for argument in signature if argument in CONSTANTS}
    compiled = compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32))
    print(name, len(compiled.asm["cubin"]))
"""


def _run(arguments, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=HERE.parents[1], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_cases(device):
    """On a CPU in Triton's interpreter."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    cases = str(HERE / "group_norm_kernel_cases.py")
    out = _run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", cases],
        TRITON_INTERPRET="1" if device == "cpu" else "0",
        KERNELS_RUN_ON=device,
    )
    assert "passed" in out
    assert "failed" not in out


def test_they_compile_for_gpus(tmp_path):
    pytest.importorskip("triton.backends.nvidia")
    out = _run(["-c", COMPILE], TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))
    assert len(out.splitlines()) == 8
