"""What makes a comparison of norms fair: networks that differ in nothing but the norm, for every norm of the table."""

from __future__ import annotations

import functools

import pytest
import torch
import yaml
from torch import nn
from training import fit_arguments

from videogn.models import i3d_r50, i3d_tiny
from videogn.norm import NORMS
from videogn.training.parameter_groups import parameter_groups

#: What norms have beside gamma and beta: bcn those of its first stage, evonorm_s0 the v of x sigmoid(v x), frn the
#: thresholds of its activation, which stands in the place of every ReLU, dyt and derf scalars of every layer.
MORE = ("batch_weight", "batch_bias", ".v", ".tau", ".alpha", ".shift")
#: Tensors of them in i3d_tiny and i3d_r50, and their parameters in i3d_r50: 26,560 channels are normalised, of them
#: 15,104 at the end of a block and 3,840 behind a projection; a sum has as many channels as its block's end.
MORE_OF = {"bcn": (34, 106, 2 * 26_560), "evonorm_s0": (9, 33, 26_560 - 15_104 - 3_840),
           "frn": (13, 49, 26_560 - 3_840), "dyt": (17, 53, 53), "derf": (34, 106, 106)}  # fmt: skip


def _network(norm, builder=i3d_tiny, **options):
    torch.manual_seed(11)
    return builder(norm=norm, **options)


@functools.cache
def _r50_on_meta(norm):
    with torch.device("meta"):
        return i3d_r50(norm=norm)


def _last_norms(model):
    return [
        block.branch2.norm_c for stage in model.blocks if hasattr(stage, "res_blocks") for block in stage.res_blocks
    ]


def _open(model):
    """Set the last gammas to something; 0, they cut off what lies behind them."""
    for layer in _last_norms(model):
        nn.init.constant_(layer.weight, 0.5)
    return model


def _common(parameters):
    """Names and shapes of the parameters, without those that only some norms have."""
    return [(name, tuple(p.shape)) for name, p in parameters if not name.endswith(MORE)]


def _train_step(model, clips):
    logits = model(torch.randn(clips, 3, 8, 32, 32))
    nn.functional.cross_entropy(logits.flatten(1), torch.arange(clips)).backward()


# The start


@pytest.mark.parametrize("norm", NORMS)
def test_the_last_gammas_are_0_and_all_others_1(norm):
    """Every one-dimensional weight of the network, whatever it belongs to; every bias 0."""
    model = _network(norm)
    last = {id(layer.weight) for layer in _last_norms(model)}
    assert len(last) == 4
    gammas = [(n, p) for n, p in model.named_parameters() if p.ndim == 1 and n.endswith("weight")]
    assert len(gammas) == 17 * (2 if norm == "bcn" else 1)
    for name, gamma in gammas:
        assert (gamma == (0 if id(gamma) in last else 1)).all(), name
    assert all((p == 0).all() for name, p in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("norm", NORMS)
def test_the_same_initial_weights_for_the_same_seed(norm):
    """Convolutions and classifier, to the bit."""
    wanted = {name: p for name, p in _network("bn").named_parameters() if p.ndim > 1}
    found = {name: p for name, p in _network(norm).named_parameters() if p.ndim > 1}
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("norm", NORMS)
def test_every_block_starts_as_its_shortcut(norm):
    """The identity of what is not negative, where there is no projection; seen in training."""
    with torch.device("meta"):
        block = i3d_r50(norm=norm).blocks[1].res_blocks[1]
    block.to_empty(device="cpu")
    for name, tensor in block.state_dict().items():
        nn.init.constant_(tensor, 0.01 if tensor.ndim > 1 else float(name.endswith(("weight", "running_var"))))
    nn.init.zeros_(block.branch2.norm_c.weight)
    x = torch.rand(2, 256, 1, 3, 3)
    torch.testing.assert_close(block(x), x)


# The optimiser


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("build", [_network, _r50_on_meta])
def test_the_same_parameters_decay(build, norm):
    """The same tensors with weight decay, and the same without but for what few norms have, one-dimensional too."""

    def grouped(model):
        names = {id(p): (name, p) for name, p in model.named_parameters()}
        decayed, plain = parameter_groups(model)
        assert "weight_decay" not in decayed  # the optimiser's own
        assert plain["weight_decay"] == 0
        return [[names[id(p)] for p in group["params"]] for group in (decayed, plain)]

    found, wanted = grouped(build(norm)), grouped(build("bn"))
    assert [_common(group) for group in found] == [_common(group) for group in wanted]
    extra = [name for name, _ in found[1] if name.endswith(MORE)]
    norms = 53 if build is _r50_on_meta else 17
    assert len(extra) == MORE_OF.get(norm, (0, 0))[build is _r50_on_meta]
    assert (len(found[0]), len(found[1])) == (norms + 1, 2 * norms + 1 + len(extra))


@pytest.mark.parametrize("norm", NORMS)
def test_the_same_number_of_parameters(norm):
    """28,043,472, and what few norms have beside."""
    count = sum(p.numel() for p in _r50_on_meta(norm).parameters() if p.requires_grad)
    assert count == 28_043_472 + MORE_OF.get(norm, (0, 0, 0))[2]


# Training


@pytest.mark.parametrize("clips", [1, 2])
@pytest.mark.parametrize("norm", NORMS)
def test_every_parameter_has_a_gradient(norm, clips):
    """Also with a batch of one clip."""
    model = _open(_network(norm))
    _train_step(model, clips)
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("norm", NORMS)
def test_zero_gammas_get_a_gradient_at_once(norm):
    model = _network(norm)
    _train_step(model, 2)
    assert all(layer.weight.grad.abs().sum() > 0 for layer in _last_norms(model))


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_in_bf16(norm):
    model = _open(_network(norm))
    with torch.autocast("cpu", torch.bfloat16):
        _train_step(model, 2)
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_i3d_r50_takes_every_norm(norm, training):
    """With the norm's default options, by shapes alone."""
    model = _r50_on_meta(norm).train(training)
    assert model(torch.empty(2, 3, 32, 224, 224, device="meta")).shape == (2, 400, 1, 1, 1)


def test_sub_batches_that_do_not_divide_the_batch():
    with pytest.raises(ValueError, match="got 3 clips in the batch and clips=2"):
        i3d_tiny(norm="sub_bn", norm_options={"clips": 2})(torch.randn(3, 3, 8, 32, 32))


# Whole networks that are one another's special cases


@pytest.mark.parametrize(
    ("norm", "options"), [("sync_bn", {}), ("sub_bn", {"clips": 2}), ("brn", {"r_max": 1, "d_max": 0})]
)
def test_special_cases_of_batch_norm(norm, options):
    """Logits, gradients and everything stored."""
    results = []
    for model in (_network(norm, norm_options=options), _network("bn")):
        torch.manual_seed(5)
        _train_step(_open(model), 2)
        gradients = {name: p.grad for name, p in model.named_parameters()}
        results.append((model.state_dict(), gradients, model.eval()(torch.ones(1, 3, 8, 32, 32))))
    torch.testing.assert_close(*results)


def test_frozen_batch_norm_takes_the_weights_of_batch_norm():
    """It evaluates as that network, and trains with what that one evaluates with."""
    source, frozen = _open(_network("bn")), i3d_tiny(norm="frozen_bn")
    for _ in range(5):
        source(torch.randn(2, 3, 8, 32, 32))
    frozen.load_state_dict(source.state_dict())
    x = torch.randn(1, 3, 8, 32, 32)
    wanted = source.eval()(x)
    torch.testing.assert_close(frozen.train()(x), wanted)
    torch.testing.assert_close(frozen.eval()(x), wanted)


def test_weights_of_group_norm_fit_weight_standardisation():
    """Every convolution is standardised, the shortcuts' too; keys and shapes are those of GN."""
    plain, standardised = _network("gn"), _network("ws+gn")
    assert list(plain.state_dict()) == list(standardised.state_dict())
    kinds = {type(layer).__name__ for layer in standardised.modules() if isinstance(layer, nn.Conv3d)}
    assert kinds == {"WeightStandardisedConv3d"}
    assert {type(layer).__name__ for layer in plain.modules() if isinstance(layer, nn.Conv3d)} == {"Conv3d"}
    scaled = _open(standardised).eval()
    x = torch.randn(1, 3, 8, 32, 32)
    before = scaled(x)
    with torch.no_grad():
        for layer in scaled.modules():
            if isinstance(layer, nn.Conv3d):
                layer.weight.mul_(100).add_(7)
    # Scale and offset of a filter are lost in it, but for its eps.
    torch.testing.assert_close(scaled(x), before, rtol=0.05, atol=0.05)


# Options


@pytest.mark.parametrize("norm", ["gn", "ws+gn", "bcn", "rms_gn", "evonorm_s0"])
def test_i3d_tiny_has_4_groups_unless_told_otherwise(norm):
    def groups(options):
        return {
            layer.num_groups
            for layer in i3d_tiny(norm=norm, norm_options=options).modules()
            if hasattr(layer, "num_groups")
        }

    assert groups(None) == {4}
    assert groups({"eps": 1e-3}) == {4}
    assert groups({"groups": 8}) == {8}
    # evonorm_s0 has no groups at the ends of the blocks, which are the widest.
    assert groups({"channels_per_group": 16}) == {1, 2, 4, 8, *(() if norm == "evonorm_s0" else (16, 32))}


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_fits_width_8(norm):
    model = i3d_tiny(norm=norm, width=8)
    _train_step(model, 1)
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("norm", ["ws+gn", "in", "none"])
def test_names_on_the_command_line(norm, videogn, capsys):
    """Neither "+" nor a word that YAML might know is in the way."""
    assert videogn("fit", "--model.norm", norm, "--print_config") == 0
    assert yaml.safe_load(capsys.readouterr().out)["model"]["norm"] == norm


def test_an_unknown_name_on_the_command_line(videogn, capsys, motion, tmp_path):
    folders = [f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}"]
    assert videogn("fit", *folders, "--model.clip_length=4", "--model.norm=ws-gn") == 2
    assert "got 'ws-gn'; did you mean 'ws+gn'?" in capsys.readouterr().err


@pytest.mark.parametrize("norm", ["ws+gn", "bcn", "mabn"])
def test_training_from_the_command_line(norm, videogn, motion, tmp_path):
    """One epoch of two batches; the checkpoint keeps the norm's state."""
    assert videogn(*fit_arguments(motion, tmp_path, "--model.norm", norm)) == 0
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["norm"] == norm
    counts = [v for k, v in checkpoint["state_dict"].items() if k.endswith("num_batches_tracked")]
    assert [int(count) for count in counts] == [2] * (0 if norm == "ws+gn" else 17)
