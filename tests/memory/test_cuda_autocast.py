"""CUDA's rules of mixed precision, against the tables of PyTorch itself."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from videogn.memory import ForwardPlan, StepSetting
from videogn.memory.cuda_autocast import AS_THEY_COME, IN_FLOAT32, cuda_autocast

CALLS = [
    (F.group_norm, 1, torch.float32),
    (F.layer_norm, (4,), torch.float32),
    (F.softmax, -1, torch.float32),
    (F.max_pool3d, 2, torch.bfloat16),
    (F.avg_pool3d, 2, torch.bfloat16),
    (F.adaptive_avg_pool3d, 1, torch.bfloat16),
    (F.adaptive_max_pool3d, 1, torch.bfloat16),
]


@pytest.mark.parametrize("operation", [*IN_FLOAT32, *AS_THEY_COME], ids=str)
def test_one_of_the_two_has_a_rule(operation):
    """A torch that treats an operation alike on both would need none here."""
    on_cuda, on_cpu = (
        torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), key) for key in ("AutocastCUDA", "AutocastCPU")
    )
    assert (on_cuda, on_cpu) == ((True, False) if operation in IN_FLOAT32 else (False, True))


@pytest.mark.parametrize(("call", "argument", "on_cuda"), CALLS)
def test_formats_of_results(call, argument, on_cuda):
    """As on CUDA within its rules, as on a CPU before, with the device cpu, and afterwards."""
    formats = []
    with FakeTensorMode(), torch.autocast("cpu", torch.bfloat16):
        x = torch.ones(1, 2, 4, 4, 4, dtype=torch.bfloat16)
        for device in ("cpu", "cuda", "cpu"):
            with cuda_autocast(device):
                formats.append(call(x, argument).dtype)
        formats.append(call(x, argument).dtype)
    on_cpu = torch.float32 if on_cuda is torch.bfloat16 else torch.bfloat16
    assert formats == [on_cpu, on_cuda, on_cpu, on_cpu]


def test_a_forward_pass_is_planned_for_its_device():
    """GN's results take twice the bytes on CUDA, those of a pool half; float32 is float32."""
    size = (16, 64, 64)
    bytes_of = {
        (norm, precision, device): ForwardPlan(
            StepSetting("i3d_tiny", norm, precision=precision, num_classes=8), size, device=device
        ).peak_bytes(4)
        for norm in ("bn", "gn")
        for precision in ("bf16-mixed", "32")
        for device in ("cpu", "cuda")
    }
    for norm in ("bn", "gn"):
        assert bytes_of[norm, "32", "cuda"] == bytes_of[norm, "32", "cpu"]
    assert bytes_of["bn", "bf16-mixed", "cuda"] < bytes_of["bn", "bf16-mixed", "cpu"]
    assert bytes_of["gn", "bf16-mixed", "cuda"] > bytes_of["gn", "bf16-mixed", "cpu"]
    with pytest.raises(ValueError, match="device must be one of cpu, cuda, got 'tpu'"):
        ForwardPlan(StepSetting(), size, device="tpu")
