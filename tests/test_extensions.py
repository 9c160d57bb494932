"""Names from outside the package: dotted paths, entry points, and what a checkpoint may import."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest
import torch
from torch import nn

from videogn import extensions
from videogn.extensions import find
from videogn.models import make_model
from videogn.norm import NORMS, make_norm
from videogn.trust import check_trusted, is_dotted

TABLE = {"one": int, "two": str}


@pytest.fixture
def registered(monkeypatch):
    """Entry points as an installed package would have them; one of them is broken."""
    points = EntryPoints(
        EntryPoint(name, value, group)
        for name, value, group in [
            ("rms", "own_norms:rms_group_norm", "videogn.norms"),
            ("small", "own_nets:small_net", "videogn.models"),
            ("wreck", "broken:anything", "videogn.norms"),
        ]
    )
    monkeypatch.setattr(extensions, "entry_points", lambda group: points.select(group=group))


def test_built_in_names_come_first(registered):
    assert find("thing", "one", {"rms": int, "one": int}, "videogn.norms") is int
    assert find("thing", "rms", {"rms": int}, "videogn.norms") is int


@pytest.mark.parametrize("path", ["own_norms.rms_group_norm", "own_norms:rms_group_norm"])
def test_dotted_paths(path, outside):
    assert is_dotted(path)
    assert find("norm", path, TABLE, "videogn.norms").__name__ == "rms_group_norm"


def test_an_entry_point_is_loaded_when_its_name_is_asked_for(registered, outside):
    """The broken one beside it is not in the way."""
    assert find("norm", "rms", TABLE, "videogn.norms").__name__ == "rms_group_norm"
    assert "broken" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tow", "norm must be one of one, two, rms, wreck, got 'tow'; did you mean 'two'?"),
        ("rmz", "norm must be one of one, two, rms, wreck, got 'rmz'; did you mean 'rms'?"),
        ("nowhere.norm", "norm 'nowhere.norm' cannot be imported: ModuleNotFoundError: No module named 'nowhere'; "
         "the module 'nowhere' must be importable, that is installed or on PYTHONPATH"),
        ("broken.norm", "norm 'broken.norm' cannot be imported: RuntimeError: on purpose; "
         "the module 'broken' must be importable, that is installed or on PYTHONPATH"),
        ("wreck", "norm 'wreck' cannot be imported: RuntimeError: on purpose; "
         "the module 'broken' must be importable, that is installed or on PYTHONPATH"),
        ("own_norms.rms_grup_norm", "norm 'own_norms.rms_grup_norm' cannot be imported: own_norms has no "
         "'rms_grup_norm'; did you mean 'rms_group_norm'?"),
        ("own_norms.not_a_norm", "norm must be a function or a class, 'own_norms.not_a_norm' is int"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_one_line(name, message, registered, outside):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared
        find("norm", name, TABLE, "videogn.norms")
    assert str(caught.value) == message


@pytest.mark.parametrize("trusted", [["own"], ["own.norms"], ["own.norms.rms"], ["other", "own"], ["own.norms:rms"]])
@pytest.mark.parametrize("path", ["own.norms.rms", "own.norms:rms"])
def test_trusted_paths(path, trusted):
    check_trusted("last.ckpt", [path, "gn", "ws+gn"], trusted)


@pytest.mark.parametrize("trusted", [[], ["ow"], ["own.norm"], ["own.norms.rms.more"]])
def test_what_is_not_trusted_is_not_imported(trusted):
    message = r"^last.ckpt names own.norms.rms, code that is imported only if you trust it: add --trust own$"
    with pytest.raises(ValueError, match=message):
        check_trusted("last.ckpt", ["gn", "own.norms.rms"], trusted)
    assert "own" not in sys.modules


@pytest.mark.parametrize("name", NORMS)
def test_built_in_names_need_no_trust(name):
    check_trusted("last.ckpt", [name, "i3d_tiny"], [])


# Norms and networks


@pytest.mark.parametrize("name", ["own_norms.rms_group_norm", "rms"])
def test_a_norm_from_outside(name, registered, outside):
    """Normalised values have mean square 1 in every group."""
    layer = make_norm(name, groups=2)(8)
    y = layer(torch.randn(3, 8, 2, 4, 4) * 3 + 1)
    torch.testing.assert_close(y.unflatten(1, (2, 4)).square().mean(dim=(2, 3, 4, 5)), torch.ones(3, 2))
    with pytest.raises(
        ValueError, match=rf"norm '{name}' takes groups, eps, got option 'group'; did you mean 'groups'"
    ):
        make_norm(name, group=2)


def test_a_norm_from_outside_in_a_network(outside):
    """Also one of PyTorch's own, which nobody registered."""
    model = make_model("i3d_tiny", 5, "own_norms.rms_group_norm", {"groups": 2})
    assert sum(type(layer).__name__ == "RMSGroupNorm" for layer in model.modules()) == 17
    assert model(torch.randn(2, 3, 4, 32, 32)).shape == (2, 5, 1, 1, 1)
    model = make_model("i3d_tiny", 5, "torch.nn.BatchNorm3d", {"momentum": 0.3})
    assert {layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm3d)} == {0.3}


@pytest.mark.parametrize(
    ("norm", "options", "reason"),
    [
        ("own_norms.rms_group_norm", {"groups": 32}, "ValueError: 16 channels cannot be split into 32 groups"),
        ("own_norms.rms_group_norm", {"groups": 0}, "ZeroDivisionError: "),
        ("rms", {"groups": 32}, "ValueError: 16 channels cannot be split into 32 groups"),
        ("torch.nn.LayerNorm", {"eps": 0.1, "bias": True, "device": "nowhere"}, "RuntimeError: .*nowhere"),
    ],
)
def test_a_norm_from_outside_that_cannot_be_made_is_one_line(registered, outside, norm, options, reason):
    with pytest.raises(ValueError, match=rf"^norm '{norm}' cannot make a layer of 16 channels: {reason}"):
        make_model("i3d_tiny", 5, norm, options)


@pytest.mark.parametrize(
    ("name", "shape"), [("own_nets.small_net", (2, 5, 1, 1, 1)), ("small", (2, 5, 1, 1, 1)),
                        ("own_nets.positions_net", (2, 5, 2, 8, 8))]
)  # fmt: skip
def test_a_network_from_outside(name, shape, registered, outside):
    """Logits (B, K) are those of one position; the norm arrives as a factory with its options."""
    model = make_model(name, 5, "gn", {"groups": 2}, {"width": 4})
    assert {layer.num_groups for layer in model.modules() if isinstance(layer, nn.GroupNorm)} == {2}
    assert model(torch.randn(2, 3, 4, 16, 16)).shape == shape
    assert not [key for key in model.state_dict() if "hook" in key]


@pytest.mark.parametrize("arch", ["own_nets.small_net", "i3d_tiny"])
def test_options_that_a_builder_does_not_take(arch, outside):
    with pytest.raises(ValueError, match=rf"arch '{arch}' takes .*width.*, got option 'widht'; did you mean 'width'"):
        make_model(arch, 5, arch_options={"widht": 8})


def test_an_output_that_is_not_logits(outside):
    with pytest.raises(ValueError, match=r"must return logits \(B, 5\) or .*Conv3d returned \(2, 6, 4, 8, 8\)"):
        make_model("own_nets.wrong_net", 5)(torch.randn(2, 3, 4, 8, 8))
