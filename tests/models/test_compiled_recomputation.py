"""Memory modes under torch.compile: the step of the network that is not compiled, and as little kept."""

from __future__ import annotations

import copy

import pytest
import torch
from few_stages import two_stages
from torch import nn

from videogn.models import i3d_tiny
from videogn.models.recompute import MEMORY_MODES, recompute
from videogn.norm import NORMS, make_norm

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler about itself

MODES = [mode for mode in MEMORY_MODES if mode != "plain"]
#: Options under which a norm depends on its running statistics in training, or has something to get wrong.
OPTIONS = {"brn": {"r_max": 3.0, "d_max": 5.0, "warmup": 4}, "sub_bn": {"clips": 2}, "gn": {"groups": 4}}
OPTIONS["ws+gn"] = OPTIONS["bcn"] = OPTIONS["evonorm_s0"] = OPTIONS["rms_gn"] = OPTIONS["gn"]
OPTIONS["mabn"] = {"window": 8, "warmup": 0, "r_warmup": 1, "decay": 0.5}


@pytest.fixture(autouse=True)
def _forget_compiled():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class _Recomputed(nn.Module):
    """Convolution, norm and ReLU, all of which run again."""

    def __init__(self, norm, options):
        super().__init__()
        factory = make_norm(norm, **options)
        self.conv, self.norm = factory.conv(3, 8, 3, padding=1, bias=False), factory(8)

    def forward(self, x):
        return recompute(self._whole, [self], x)

    def _whole(self, x):
        return self.norm(self.conv(x)).relu()


def _steps(model, called, size, forwards=2):
    """Outputs, gradients and buffers of two steps, each the sum of `forwards` calls."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(5)
    seen = []
    for _ in range(2):
        optimizer.zero_grad()
        outputs = [called(torch.randn(size, generator=generator, dtype=torch.float64)) for _ in range(forwards)]
        sum(output.square().mean() for output in outputs).backward()
        seen += [output.detach() for output in outputs] + [each.grad.clone() for each in model.parameters()]
        seen += [buffer.clone() for buffer in model.buffers()]
        optimizer.step()
    return seen


def _assert_same_steps(model, size, backend="aot_eager", fullgraph=True, plain=None):
    plain = (plain or copy.deepcopy(model)).double()
    model.double()
    buffers = list(model.buffers())
    found = _steps(model, torch.compile(model, backend=backend, fullgraph=fullgraph), size)
    wanted = _steps(plain, plain, size)
    torch.testing.assert_close(found, wanted)
    assert all(one is other for one, other in zip(model.buffers(), buffers, strict=True))


@pytest.mark.parametrize("norm", NORMS)
def test_a_region_of_every_norm(norm):
    """In one graph, with two forward passes before the backward pass; mabn's backward pass writes to a buffer."""
    torch.manual_seed(1)
    _assert_same_steps(_Recomputed(norm, OPTIONS.get(norm, {})), (4, 3, 4, 8, 8), fullgraph=norm != "mabn")


@pytest.mark.parametrize("norm", ["bn", "brn"])
def test_a_region_that_cannot_be_one_graph(norm):
    """The plain average of running statistics is a number that depends on data: the region runs outside the graph."""
    torch.manual_seed(1)
    model = _Recomputed(norm, {"momentum": None})
    _assert_same_steps(model, (4, 3, 4, 8, 8), fullgraph=False)
    assert int(model.norm.num_batches_tracked) == 4


def _network(mode, norm="gn", build=two_stages):
    torch.manual_seed(3)
    model = build(norm=norm, norm_options=OPTIONS.get(norm), memory_mode=mode)
    for name, parameter in model.named_parameters():  # the zero gammas would hide what lies behind them
        if name.endswith("norm_c.weight"):
            nn.init.constant_(parameter, 0.5)
    return model


@pytest.mark.parametrize(
    ("mode", "norm", "backend"),
    [
        ("plain", "gn", "aot_eager"),
        *((mode, "gn", "aot_eager") for mode in MODES),
        ("lean", "gn", "eager"),
        ("lean", "bn", "aot_eager"),
        *(
            pytest.param(mode, norm, "aot_eager", marks=pytest.mark.slow)
            for mode in MODES
            for norm in ("bn", "brn", "sub_bn", "ws+gn", "bcn")
            if (mode, norm) != ("lean", "bn")  # it is among those above
        ),
    ],
)
def test_a_network_in_one_graph(mode, norm, backend):
    _assert_same_steps(_network(mode, norm), (2, 3, 8, 32, 32), backend, plain=_network("plain", norm))


def _kept(model, size):
    """Bytes that a compiled network keeps for its backward pass, the parameters left out."""
    output = torch.compile(model, backend="aot_eager", fullgraph=True)(torch.randn(size))
    own = {parameter.data_ptr() for parameter in model.parameters()}
    nodes, kept = [output.grad_fn], {}
    for node in nodes:
        nodes += [other for other, _ in node.next_functions if other is not None]
        saved = [tensor for tensor in getattr(node, "saved_tensors", ()) if tensor is not None]
        kept |= {tensor.data_ptr(): tensor.nbytes for tensor in saved if tensor.data_ptr() not in own}
    return sum(kept.values())


def test_a_region_keeps_its_input_and_its_statistics():
    assert _kept(_Recomputed("bn", {}), (4, 3, 4, 8, 8)) <= 4 * (4 * 3 * 4 * 8 * 8 + 2 * 8) + 8


@pytest.mark.slow
def test_each_mode_keeps_less_than_the_one_before():
    """As without a compiler: about 3.0, 1.7, 1.0 and 0.8 MB."""
    sizes = [_kept(_network(mode, build=i3d_tiny), (2, 3, 8, 32, 32)) for mode in MEMORY_MODES]
    assert sizes[0] > 1.7 * sizes[1]
    assert sizes[1] > 1.5 * sizes[2]
    assert sizes[2] > 1.2 * sizes[3] > 0
