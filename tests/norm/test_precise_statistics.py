"""Precise statistics against formulas in float64, with every layer's input caught by a hook."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

from videogn.models.i3d import i3d_tiny
from videogn.norm import make_norm
from videogn.norm.precise_statistics import batch_statistics, precise_statistics, running_statistics, tracking_layers


def _network(norm="bn", **options) -> nn.Sequential:
    factory = make_norm(norm, **options)
    layers = [nn.Conv3d(3, 4, 3, padding=1), factory(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv3d(4, 6, 1), factory(6)]
    return nn.Sequential(*layers).eval()


def _batches(count=3, size=4, seed=0) -> list[torch.Tensor]:
    """Batches that differ in mean and spread, so that the two variances do."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.linspace(0.5, 2, count)
    return [scale * torch.randn(size, 3, 2, 5, 5, generator=generator) + scale for scale in scales]


def _by_hand(model, batches, variance, layers):
    """Inputs of each layer, with these layers in training mode, then the docstring's formulas in float64."""
    model = copy.deepcopy(model)
    inputs = {name: [] for name in layers}
    for name in layers:
        layer = model.get_submodule(name)
        layer.train()
        layer.register_forward_pre_hook(lambda _, x, name=name: inputs[name].append(x[0].double().numpy()))
    with torch.no_grad():
        for batch in batches:
            model(batch)
    expected = {}
    for name, values in inputs.items():
        means = np.stack([x.mean(axis=(0, 2, 3, 4)) for x in values])
        variances = np.stack([x.var(axis=(0, 2, 3, 4), ddof=1) for x in values])
        spread = means.var(axis=0) if variance == "population" else 0
        expected[name] = (means.mean(axis=0), variances.mean(axis=0) + spread)
    return expected


@pytest.mark.parametrize("variance", ["population", "batch"])
@pytest.mark.parametrize("network", ["small", "i3d_tiny"])
def test_precise_statistics_are_the_formulas(network, variance):
    if network == "small":
        model, batches = _network(), _batches()
    else:
        model = i3d_tiny(norm="bn", width=8).eval()
        for block in model.modules():
            if hasattr(block, "running_mean"):
                nn.init.normal_(block.weight)  # gamma 0 would make every block an identity
        batches = [torch.randn(3, 3, 4, 32, 32) * scale for scale in (0.5, 2.0)]
    layers = tracking_layers(model)
    assert len(layers) == {"small": 2, "i3d_tiny": 17}[network]
    expected = _by_hand(model, batches, variance, layers)
    returned = precise_statistics(model, batches, variance=variance)
    for name, layer in layers.items():
        mean, var = expected[name]
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-4)
        torch.testing.assert_close(returned[name].mean.float(), layer.running_mean, rtol=0, atol=0)
        torch.testing.assert_close(returned[name].var.float(), layer.running_var, rtol=0, atol=0)


def test_the_whole_set_in_equal_batches_gives_its_population_statistics():
    model, batches = nn.Sequential(make_norm("bn")(3)), _batches()
    precise_statistics(model, batches)
    everything = torch.cat(batches).double().numpy()
    values = batches[0].numel() // 3
    within = np.mean([batch.double().numpy().var(axis=(0, 2, 3, 4), ddof=1) for batch in batches], axis=0)
    np.testing.assert_allclose(model[0].running_mean.numpy(), everything.mean(axis=(0, 2, 3, 4)), rtol=1e-5)
    # PyTorch stores unbiased variances: u = b n / (n - 1) makes the part within batches larger by u / n.
    population = everything.var(axis=(0, 2, 3, 4)) + within / values
    np.testing.assert_allclose(model[0].running_var.numpy(), population, rtol=1e-5)


def test_batch_variance_is_the_cumulative_average_of_pytorch():
    model, batches = _network(), _batches()
    other = copy.deepcopy(model)
    for layer in tracking_layers(other).values():
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    for batch in batches:
        other(batch)
    precise_statistics(model, batches, variance="batch")
    for name, (mean, var) in running_statistics(tracking_layers(other)).items():
        torch.testing.assert_close(model.get_submodule(name).running_mean.double(), mean)
        torch.testing.assert_close(model.get_submodule(name).running_var.double(), var)


def test_one_batch_gives_what_a_training_step_of_momentum_1_would_store():
    layer, batch = make_norm("bn")(3), _batches(1)
    other = make_norm("bn", momentum=1.0)(3)
    other(batch[0])
    precise_statistics(layer, batch)
    torch.testing.assert_close(layer.running_mean, other.running_mean, rtol=0, atol=0)
    torch.testing.assert_close(layer.running_var, other.running_var, rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["bn", "brn", "sub_bn", "sync_bn", "bcn"])
def test_only_running_statistics_change(norm):
    model = _network(norm, **({"groups": 2} if norm == "bcn" else {}))
    model[3].train()  # modes that differ must stay as they are
    model[5].train()
    modes = [module.training for module in model.modules()]
    before = copy.deepcopy(model.state_dict())
    precise_statistics(model, _batches())
    assert [module.training for module in model.modules()] == modes
    assert [layer.momentum for layer in tracking_layers(model).values()] == [0.1, 0.1]
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"{layer}.running_{what}" for layer in (1, 5) for what in ("mean", "var")}


@pytest.mark.parametrize("norm", ["gn", "ln", "in", "none"])
def test_networks_without_running_statistics_draw_no_batch(norm):
    model = _network(norm, **({"groups": 2} if norm == "gn" else {}))
    assert precise_statistics(model, iter(lambda: pytest.fail("a batch was drawn"), None)) == {}


def test_stored_statistics_are_left_alone():
    model = nn.Sequential(make_norm("bn")(3), make_norm("frozen_bn")(3))
    assert list(tracking_layers(model)) == ["0"]
    before = copy.deepcopy(model[1].state_dict())
    precise_statistics(model, _batches())
    assert all(torch.equal(value, before[name]) for name, value in model[1].state_dict().items())


def test_batch_renorm_runs_with_the_statistics_it_has():
    """Its corrections come from the running statistics, which must be the same for every batch."""
    model = _network("brn")
    with torch.no_grad():
        model[1].running_mean.fill_(0.3)
    batches = _batches()
    expected = []
    for batch in batches:
        one = copy.deepcopy(model)
        precise_statistics(one, [batch])
        expected.append(one[5].running_mean.double())
    precise_statistics(model, batches)
    torch.testing.assert_close(model[5].running_mean.double(), torch.stack(expected).mean(0))


@pytest.mark.parametrize(("norm", "options"), [("bn", {}), ("brn", {}), ("sub_bn", {"clips": 2}), ("sync_bn", {})])
def test_measuring_again_changes_nothing(norm, options):
    """Batch Renorm's corrections draw to the old statistics: with them on, each measurement would give another."""
    torch.manual_seed(0)
    model = i3d_tiny(norm=norm, norm_options=options, width=8)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    batches = [torch.randn(4, 3, 4, 16, 16) for _ in range(3)]
    first = precise_statistics(model, batches)
    second = precise_statistics(model, batches)
    for name, statistics in first.items():
        for one, other in zip(statistics, second[name], strict=True):
            torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


def test_everything_is_put_back_after_an_error():
    model = _network()
    before = copy.deepcopy(model.state_dict())

    def failing(batch):
        model(batch)
        raise RuntimeError("the loader broke")

    with pytest.raises(RuntimeError, match="broke"):
        precise_statistics(model, _batches(), failing)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert model[1].momentum == 0.1


def test_batch_statistics_shows_the_newest_batch_and_dropout_stays_off():
    model, (first, second, _) = _network(), _batches()
    layers = tracking_layers(model)
    with torch.no_grad(), batch_statistics(layers) as take:
        assert model[1].training
        assert not model[3].training
        model(first)
        model(second)
        seen = take()
        x = model[0](second).double()
    torch.testing.assert_close(seen["1"].mean, x.mean((0, 2, 3, 4)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seen["1"].var, x.var((0, 2, 3, 4)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model[1].running_mean, torch.zeros(4))


def test_errors():
    with pytest.raises(ValueError, match="at least one batch"):
        precise_statistics(_network(), [])
    with pytest.raises(ValueError, match="did you mean 'population'"):
        precise_statistics(_network(), _batches(), variance="populaton")


def _measure(rank, folder, model, batches):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    precise_statistics(model, batches[rank::2])
    torch.save(model.state_dict(), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_measure_all_their_batches(tmp_path):
    model, batches = _network(), _batches(4)
    torch.multiprocessing.start_processes(_measure, (tmp_path, model, batches), nprocs=2, start_method="fork")
    precise_statistics(model, batches)
    for rank in (0, 1):
        measured = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, value in model.state_dict().items():
            np.testing.assert_allclose(measured[name].numpy(), value.numpy(), rtol=1e-6)
