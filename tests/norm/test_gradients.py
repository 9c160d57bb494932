"""Gradients of every norm against numerical ones, and number formats."""

from __future__ import annotations

import pytest
import torch
from small_layers import clips_like, small_layer, with_statistics

from videogn.norm import NORMS


def _run(layer):
    """The layer as a function of its input and parameters, its state put back before every call."""
    names = [name for name, _ in layer.named_parameters()]
    buffers = {name: tensor.clone() for name, tensor in layer.named_buffers()}

    def run(x, *parameters):
        state = {name: tensor.clone() for name, tensor in buffers.items()}
        return torch.func.functional_call(layer, state | dict(zip(names, parameters, strict=True)), (x,))

    return run


# bcn's estimates are constants to the gradient in training, which a numerical one does not see: a test of its own. So
# is mabn's gradient, which a numerical one is only where batches stand alone: during its warm-up.
@pytest.mark.parametrize(
    ("name", "training"), [(name, False) for name in NORMS] + [(n, True) for n in NORMS if n != "bcn"]
)
def test_gradients(name, training):
    """Analytic against numerical gradients, in float64, of input and parameters."""
    layer = small_layer(name).train(training)
    if name == "brn":
        # Statistics so far off that r and d lie at their bounds: elsewhere they are constants to the gradient only.
        layer.running_mean.fill_(-50)
        layer.running_var.fill_(1e-3)
    if name == "mabn":
        layer.warmup = 2
    x = clips_like(2, 6, 2, 1, 2).requires_grad_()
    assert torch.autograd.gradcheck(_run(layer), (x, *layer.parameters()))


def test_the_gradient_of_batch_renorm_takes_r_and_d_as_constants():
    layer = with_statistics(small_layer("brn", r_max=100.0, d_max=100.0))
    x = clips_like(3, 6, 2, 1, 2).requires_grad_()
    upstream = torch.randn(x.shape, dtype=torch.float64)
    mean, variance = x.mean((0, 2, 3, 4)), x.var((0, 2, 3, 4), correction=0)
    s_batch, s = (variance + 1e-5).sqrt(), (layer.running_var.clone() + 1e-5).sqrt()
    r, d = (s_batch / s).detach(), ((mean - layer.running_mean) / s).detach()
    y = ((x.movedim(1, -1) - mean) / s_batch * r + d) * layer.weight + layer.bias
    wanted = torch.autograd.grad(y.movedim(-1, 1), [x, *layer.parameters()], upstream)
    found = torch.autograd.grad(layer(x), [x, *layer.parameters()], upstream)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_the_gradient_of_batch_channel_norm_takes_the_estimates_as_constants():
    """That of evaluation, whose gradient is checked above, with the estimates that the training step left."""
    layer = small_layer("bcn")
    x = clips_like(2, 6, 2, 1, 2).requires_grad_()
    upstream = torch.randn(x.shape, dtype=torch.float64)
    found = torch.autograd.grad(layer(x), [x, *layer.parameters()], upstream)
    wanted = torch.autograd.grad(layer.eval()(x), [x, *layer.parameters()], upstream)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", NORMS)
def test_two_forward_passes_before_the_backward_passes(name):
    """A second pass must not change what the first one's gradient needs."""
    layer = small_layer(name)
    first, second = clips_like(2, 6, 2, 3, 1).requires_grad_(), clips_like(2, 6, 2, 3, 1)
    (layer(first).pow(2).sum() + layer(second).pow(2).sum()).backward()
    assert first.grad.isfinite().all()


# Number formats


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NORMS)
def test_bf16_autocast(name, training):
    """Close to the float32 layer on the same numbers; state and gradients of parameters stay float32."""
    x = (torch.randn(2, 6, 3, 4, 4) * 2 + 30).bfloat16()  # the mean is large: statistics in bf16 would be off
    outputs = []
    for half in (False, True):
        layer = small_layer(name).float().train(training)
        if hasattr(layer, "running_mean"):
            layer.running_mean.fill_(30)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            y = layer(x if half else x.float())
        y.float().pow(2).sum().backward()
        assert all(p.grad.dtype == torch.float32 for p in layer.parameters())
        outputs.append((y.float(), [buffer.float() for buffer in layer.buffers()]))
    (exact, wanted_state), (found, state) = outputs
    torch.testing.assert_close(found, exact, rtol=0.02, atol=0.25 if name == "none" else 0.05)
    for a, b in zip(state, wanted_state, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
