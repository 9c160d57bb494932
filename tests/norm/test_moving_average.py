"""Moving average batch normalisation against its definition: outputs, gradients and buffers of several steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from index_sets import randomised
from small_layers import clips_like
from torch import nn

from videogn.models import i3d_tiny
from videogn.norm import make_norm
from videogn.norm.moving_average import CentralisedConv3d
from videogn.norm.precise_statistics import batch_statistics, precise_statistics, tracking_layers

EPS = 1e-5


class Definition:
    """One channel after the other, in lists of numbers: Yan et al. 2020, and the code that the authors published."""

    def __init__(self, layer, window, warmup, r_warmup, decay):
        self.gamma, self.beta = layer.weight.tolist(), layer.bias.tolist()
        self.window, self.warmup, self.r_warmup, self.decay = window, warmup, r_warmup, decay
        self.squares = [[] for _ in self.gamma]  # of every batch so far
        self.products = [[] for _ in self.gamma]
        self.running = [1.0 for _ in self.gamma]
        self.count = 0

    def step(self, x, dy):
        """Outputs and the gradients of x, gamma and beta, for a batch and the gradient of its output."""
        self.count += 1
        batches = max(1, self.window // x.shape[0])
        alone = self.count <= batches or self.count < self.warmup
        y, dx = np.empty_like(x), np.empty_like(x)
        dgamma, dbeta = [], []
        for c in range(x.shape[1]):
            values, upstream = x[:, c].ravel().tolist(), dy[:, c].ravel().tolist()
            q = sum(v * v for v in values) / len(values)
            self.squares[c].append(q)
            v = q if alone else sum(self.squares[c][-batches:]) / batches
            r = 1.0
            if not alone and self.count > self.r_warmup:
                r = min(max((v + EPS) ** 0.5 / (self.running[c] + EPS) ** 0.5, 0.2), 5.0)
            z = [value / (v + EPS) ** 0.5 for value in values]
            g = [each * self.gamma[c] * r for each in upstream]
            psi = sum(a * b for a, b in zip(g, z, strict=True)) / len(z)
            self.products[c].append(psi)
            mean_psi = psi if alone else sum(self.products[c][-batches:]) / batches
            y[:, c] = np.reshape([self.gamma[c] * r * each + self.beta[c] for each in z], x[:, c].shape)
            dx[:, c] = np.reshape(
                [(a - b * mean_psi) / (v + EPS) ** 0.5 for a, b in zip(g, z, strict=True)], x[:, c].shape
            )
            dgamma.append(sum(a * r * b for a, b in zip(upstream, z, strict=True)))
            dbeta.append(sum(upstream))
            self.running[c] = v if self.count == 1 else self.decay * self.running[c] + (1 - self.decay) * v
        return y, dx, dgamma, dbeta


def _step(layer, x, dy):
    leaf = x.clone().requires_grad_()
    y = layer(leaf)
    gradients = torch.autograd.grad(y, [leaf, layer.weight, layer.bias], dy)
    return [each.detach().numpy() for each in (y, *gradients)]


@pytest.mark.parametrize("clips", [1, 2, 3, 6])
@pytest.mark.parametrize(("warmup", "r_warmup"), [(0, 0), (3, 5), (8, 2)])
def test_eight_steps_are_the_definition(clips, warmup, r_warmup):
    """Batches of one clip, of a divisor of the window, of none, and of the whole window; statistics that drift."""
    layer = randomised(make_norm("mabn", window=6, warmup=warmup, r_warmup=r_warmup, decay=0.9)(3))
    definition = Definition(layer, 6, warmup, r_warmup, 0.9)
    for step in range(8):
        x, dy = (1 + 0.5 * step) * clips_like(clips, 3, 2, 1, 3), clips_like(clips, 3, 2, 1, 3)
        for found, wanted in zip(_step(layer, x, dy), definition.step(x.numpy(), dy.numpy()), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(layer.running_var.numpy(), definition.running, rtol=1e-12)
    assert layer.num_batches_tracked == 8
    newest = np.array(definition.squares).T[::-1][:6], np.array(definition.products).T[::-1][:6]
    np.testing.assert_allclose(layer.recent_squares.numpy(), newest[0], rtol=1e-9)
    np.testing.assert_allclose(layer.recent_products.numpy(), newest[1], rtol=1e-9, atol=1e-12)


def test_r_is_bounded():
    """Ten times wider values than ever before: 5; ten times narrower: 1/5."""
    for scale, bound in ((10.0, 5.0), (0.1, 0.2)):
        layer = make_norm("mabn", window=1, warmup=0, r_warmup=1, decay=0.99)(2).double()
        x = clips_like(2, 2, 3, 3, 3)
        standard = layer(x)  # the first batch: r is 1
        torch.testing.assert_close(layer(scale * x), bound * standard, rtol=0.01, atol=0.01)


def test_without_memory_and_correction_it_is_batch_norm_about_zero():
    """A window of the batch and r = 1: the gradient is autograd's of x / sqrt(mean(x^2) + eps)."""
    layer = randomised(make_norm("mabn", window=2)(3))
    x, dy = clips_like(2, 3, 2, 3, 2).requires_grad_(), clips_like(2, 3, 2, 3, 2)
    square = x.square().mean((0, 2, 3, 4), keepdim=True)
    wanted = x / (square + EPS).sqrt() * layer.weight.view(-1, 1, 1, 1) + layer.bias.view(-1, 1, 1, 1)
    y = layer(x)
    torch.testing.assert_close(y, wanted)
    inputs = [x, layer.weight, layer.bias]
    for a, b in zip(torch.autograd.grad(y, inputs, dy), torch.autograd.grad(wanted, inputs, dy), strict=True):
        torch.testing.assert_close(a, b)


def test_evaluation_divides_by_the_running_mean_square():
    layer = randomised(make_norm("mabn")(3)).eval()
    layer.running_var.copy_(torch.tensor([4.0, 0.25, 1.0]))
    x = clips_like(2, 3, 2, 2, 2)
    wanted = x / (layer.running_var + EPS).sqrt().view(-1, 1, 1, 1) * layer.weight.view(-1, 1, 1, 1)
    torch.testing.assert_close(layer(x), wanted + layer.bias.view(-1, 1, 1, 1))


def test_statistics_of_small_batches_are_those_of_one_large_batch():
    """With the window full, v is the mean square of the last 8 clips, whatever the batch that they came in."""
    clips = clips_like(8, 3, 2, 3, 2)
    found = []
    for size in (1, 2, 4, 8):
        layer = make_norm("mabn", window=8, warmup=0, decay=0.0)(3).double()
        for batch in clips.repeat(2, 1, 1, 1, 1).split(size):
            layer(batch)
        found.append(layer.running_var)
    torch.testing.assert_close(found, [clips.square().mean((0, 2, 3, 4))] * 4)


def test_the_newest_values_are_in_float32_under_bf16():
    layer = make_norm("mabn", warmup=0)(3)
    x = (torch.randn(2, 3, 2, 8, 8) + 30).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    torch.testing.assert_close(layer.recent_squares[0], x.double().square().mean((0, 2, 3, 4)).float())


# The convolution


@pytest.mark.parametrize("padding_mode", ["zeros", "replicate"])
def test_filters_of_the_convolution_have_mean_0(padding_mode):
    options = {"stride": (1, 2, 1), "padding": (1, 1, 0), "groups": 2, "bias": False, "padding_mode": padding_mode}
    layer = CentralisedConv3d(4, 6, (3, 3, 1), **options).double()
    plain = nn.Conv3d(4, 6, (3, 3, 1), **options).double()
    for o in range(6):
        mean = sum(layer.weight[o].flatten().tolist()) / (2 * 9)
        plain.weight.data[o] = layer.weight[o].detach() - mean
    x = torch.randn(2, 4, 3, 5, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x))
    assert list(layer.state_dict()) == ["weight"]


def test_every_convolution_of_a_network_is_centralised():
    kinds = {type(layer) for layer in i3d_tiny(norm="mabn").modules() if isinstance(layer, nn.Conv3d)}
    assert kinds == {CentralisedConv3d}


# Around it


def test_precise_statistics_are_the_mean_squares_of_the_batches():
    """Of each batch alone, whatever the window holds."""
    layer = make_norm("mabn", window=8, warmup=0, r_warmup=0)(3).double()
    for _ in range(10):
        layer(5 * clips_like(2, 3, 2, 2, 2))
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    batches = [clips_like(2, 3, 2, 2, 2) for _ in range(3)]
    (found,) = precise_statistics(layer, batches).values()
    wanted = torch.cat(batches).square().mean((0, 2, 3, 4))
    torch.testing.assert_close(found.var, wanted)
    torch.testing.assert_close(layer.running_var, wanted)
    assert (found.mean == 0).all()
    assert layer.corrected
    for name in ("recent_squares", "recent_products", "num_batches_tracked"):
        assert torch.equal(layer.get_buffer(name), before[name])


def test_statistics_of_a_batch_are_those_of_its_window():
    layer = make_norm("mabn", window=4, warmup=0)(3).double()
    batches = [clips_like(2, 3, 2, 2, 2) for _ in range(3)]
    for batch in batches:
        layer(batch)
    with batch_statistics(tracking_layers(layer)) as take:
        layer(batches[0])
        (found,) = take().values()
    torch.testing.assert_close(found.var, torch.cat([batches[0], batches[2]]).square().mean((0, 2, 3, 4)))


def test_training_goes_on_to_the_bit(tmp_path):
    """From a state dict, in the middle of a window and of the warm-up of r."""

    def make():
        torch.manual_seed(1)
        return i3d_tiny(norm="mabn", norm_options={"window": 8, "warmup": 0, "r_warmup": 5})

    def steps(net, first, last):
        for step in range(first, last):
            net.zero_grad()
            clips = torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(step))
            nn.functional.cross_entropy(net(clips).flatten(1), torch.tensor([1, 2])).backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= 0.01 * parameter.grad

    through, stopped = make(), make()
    steps(through, 0, 8)
    steps(stopped, 0, 4)
    torch.save(stopped.state_dict(), tmp_path / "state.pt")
    resumed = make()
    resumed.load_state_dict(torch.load(tmp_path / "state.pt"))
    steps(resumed, 4, 8)
    wanted = through.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in resumed.state_dict().items())


def test_a_network_trains_at_one_clip_a_batch():
    """The loss of four clips falls, and evaluation knows them too."""
    torch.manual_seed(0)
    net = i3d_tiny(norm="mabn", num_classes=4, norm_options={"window": 4, "warmup": 8, "r_warmup": 16, "decay": 0.9})
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    clips, labels = torch.randn(4, 3, 4, 16, 16), torch.arange(4)
    for step in range(100):
        loss = nn.functional.cross_entropy(net(clips[step % 4, None]).flatten(1), labels[step % 4, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert nn.functional.cross_entropy(net.eval()(clips).flatten(1), labels) < 0.3
