"""Compiled networks, as a whole and by regions: the training run of the network that is not compiled."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from few_stages import three_stages
from loss_curves import MODES, STEPS, assert_same_curves, curve, plain_curve, tiny
from torch import nn

from videogn.models import make_model
from videogn.models.compiling import compile_network
from videogn.models.memory_format import lay_out

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler about itself
#: The others take a minute; these show what each of whole, regional, gn, bn and two modes may do wrong.
QUICK = {("whole", "bn", "lean"), ("regional", "gn", "block")}


@pytest.fixture(autouse=True)
def _forget_compiled():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("how", "norm", "mode", "steps"),
    [(*each, 3) for each in sorted(QUICK)]
    + [
        pytest.param(how, norm, mode, STEPS, marks=pytest.mark.slow)
        for how in ("whole", "regional")
        for norm in ("gn", "bn")
        for mode in MODES
    ],
)
def test_a_compiled_network_trains_alike(how, norm, mode, steps):
    net = tiny(norm, mode, three_stages)
    names = list(net.state_dict())
    compile_network(net, CPU, how, backend="aot_eager")
    assert list(net.state_dict()) == names
    assert_same_curves(curve(net, steps=steps), plain_curve(norm, three_stages, steps), exact=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor compiles C++")
@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_inductor_trains_alike(norm):
    net = tiny(norm, "block", three_stages)
    compile_network(net, CPU)
    assert_same_curves(curve(net), plain_curve(norm, three_stages))


def _compiled(monkeypatch, net, how, device=CPU, backend="eager"):
    """Modules that are compiled, with the options."""
    seen = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: seen.append((module, options)))
    compile_network(net, device, how, backend=backend)
    return seen


def test_regions_hold_every_weight_once(monkeypatch):
    """Blocks in a row are regions of their own; what is left, such as the stem, is one more."""
    for arch, blocks in (("i3d_r50", 16), ("r3d_18", 8)):
        with torch.device("meta"):
            net = make_model(arch, 5, "bn")
        regions = [module for module, _ in _compiled(monkeypatch, net, "regional")]
        assert sum("Block" in type(region).__name__ for region in regions) == blocks
        held = [id(parameter) for region in regions for parameter in region.parameters()]
        assert sorted(held) == sorted(id(parameter) for parameter in net.parameters())


@pytest.mark.parametrize("how", [True, "whole"])
def test_the_whole(monkeypatch, how):
    net = tiny("gn")
    assert _compiled(monkeypatch, net, how) == [(net, {"backend": "eager"})]


def test_not_at_all(monkeypatch):
    assert _compiled(monkeypatch, tiny("gn"), False) == []


def test_graphs_are_cudas(monkeypatch):
    """The option is handed over; what CUDA makes of it no test sees."""
    net = tiny("gn")
    for how, graphs in (("graphs", True), ("whole", False)):
        ((module, options),) = _compiled(monkeypatch, net, how, torch.device("cuda"), backend="inductor")
        handed = {"layout_optimization": False, "triton.cudagraphs": graphs}
        assert (module, options) == (net, {"backend": "inductor", "options": handed})
        assert set(handed) <= set(torch._inductor.list_options())
    with pytest.raises(ValueError, match="compile graphs takes an NVIDIA GPU, got cpu: take whole or regional"):
        compile_network(net, CPU, "graphs")


@pytest.mark.parametrize("norm", ["gn", "ws+gn"])
def test_on_a_gpu_group_norm_is_compiled_as_operations(norm):
    """In no graph is there a group norm, which makes its input contiguous; what runs is the same network."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    net = tiny(norm).eval()
    lay_out(net, "channels_last")
    clips = torch.randn(2, 3, 8, 32, 32).contiguous(memory_format=torch.channels_last_3d)
    wanted = net(clips)
    compile_network(net, torch.device("cuda"), backend=backend)
    torch.testing.assert_close(net(clips), wanted)
    assert graphs
    names = [str(node.target) for graph in graphs for node in graph.graph.nodes]
    assert any("conv3d" in name for name in names)
    assert not any("group_norm" in name or "contiguous" in name for name in names)


def test_on_a_gpu_what_is_not_compiled_is_pytorchs_group_norm():
    """The copy that a predictor compiles shares its layers with the network that is not compiled."""
    net = tiny("gn").eval()
    shared = copy.copy(net)
    clips = torch.randn(1, 3, 8, 32, 32)
    wanted = net(clips)
    compile_network(shared, torch.device("cuda"), backend="eager")
    assert torch.equal(net(clips), wanted)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="whole, regional, graphs, got 'regionl'; did you mean 'regional'"):
        compile_network(tiny("gn"), CPU, "regionl")


def test_without_a_compiler_it_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match="takes a C\\+\\+ compiler, and no-such-compiler is not found"):
        compile_network(tiny("gn"), CPU)


def test_an_older_torch_has_no_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model, *, backend: None)
    for _, options in _compiled(monkeypatch, tiny("gn"), "regional"):
        assert options == {"backend": "eager"}


def test_a_copy_is_not_compiled():
    net = tiny("gn")
    compile_network(net, CPU, backend="eager")
    assert net._compiled_call_impl is not None
    assert copy.deepcopy(net)._compiled_call_impl is None
