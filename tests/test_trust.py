"""What a file may name unasked, what a command line trusts, and what is said about the rest."""

from __future__ import annotations

import pytest

from videogn.trust import KNOWN, check_trusted, is_trusted, names_in, trusted_by, typed_as


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("torch.optim.AdamW", True),
        ("torch.nn.BatchNorm3d", True),
        ("torch.nn:BatchNorm3d", True),
        ("lightning.pytorch.callbacks.EarlyStopping", True),
        ("pytorch_lightning.callbacks.EarlyStopping", True),
        ("torchmetrics.Metric", True),
        ("videogn.training.callbacks.RunHistory", True),
        ("torch.optimal.AdamW", False),
        ("torch.hub.load", False),
        ("torch.load", False),
        ("torch.utils.cpp_extension.load", False),
        ("torch.package.PackageImporter", False),
        ("lightning.pytorch.cli.LightningCLI", False),
        ("videogn.system.killable.KillableProcess", False),
        ("videogn.cli.main.main", False),
        ("os.system", False),
        ("my_package.Norm", False),
    ],
)
def test_what_is_known(name, known):
    assert is_trusted(name, KNOWN) == known


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mine.nets.Net"], "c.yaml names mine.nets.Net, code that is imported only if you trust it: add --trust mine"),
        (["a.N", "b.M", "a.O"], "c.yaml names a.N, code that is imported only if you trust it: add --trust a b"),
        (["torch.hub.load"], "c.yaml names torch.hub.load, code that is imported only if you trust it: "
         "add --trust torch.hub"),
        (["torch.load"], "c.yaml names torch.load, code that is imported only if you trust it: add --trust torch.load"),
        (["a.N", "os:system"], "c.yaml names os:system, a part of Python itself, which no option takes"),
    ],
)  # fmt: skip
def test_one_line_says_all_that_is_to_be_added(names, message):
    """Following it is enough."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared
        check_trusted("c.yaml", names, KNOWN)
    assert str(caught.value) == message
    if " --trust " in message:
        check_trusted("c.yaml", names, message.partition("--trust ")[2].split())


@pytest.mark.parametrize(
    ("words", "trusted"),
    [
        (["--model.norm", "mine.norms.RMS"], ["mine"]),
        (["--model.arch=mine:net"], ["mine"]),
        (["--model.optimizer=AdamW", "--model.norm", "gn"], []),
        (["--model.optimizer", "torch.distributed.optim.ZeroRedundancyOptimizer"], ["torch.distributed.optim"]),
        (["--trainer.callbacks+=a.b.C"], ["a"]),
        (["--trainer.callbacks", "[{class_path: a.C, init_args: {x: z.z}}, {'class_path': 'b.D'}]"], ["a", "b"]),
        (["--trainer.callbacks.on_fit_start=builtins.print"], ["builtins.print"]),
        (["--trust", "a", "b.c", "--model.lr", "0.1", "--trust=d"], ["a", "b.c", "d"]),
        # Files, and values that are no names
        (["--config", "its.yaml", "--config=other.yaml", "-c", "x.yaml", "--data.root", "my.videos"], []),
        (["--trainer.default_root_dir", "runs.new", "--model.init_from", "a.pth", "--ckpt_path=best.ckpt"], []),
    ],
)
def test_what_a_command_line_trusts(words, trusted):
    assert trusted_by(words) == tuple(trusted)


def test_names_in_a_configuration():
    content = {
        "model": {"arch": "a.Net", "norm": "gn", "optimizer": {"class_path": "b.Lion", "init_args": {"name": "x.y"}}},
        "axes": {"norm": ["gn", "c.N", {"name": "d:M", "eps": "1.5"}], "clip": "8x2"},
        "trainer": {"callbacks": [{"class_path": "e.C", "init_args": {"inner": {"class_path": "f.D"}}}]},
        "data": {"root": "my.videos"},
    }
    assert list(names_in(content)) == ["a.Net", "b.Lion", "c.N", "d:M", "e.C", "f.D"]


@pytest.mark.parametrize("path", ["mine.norms.RMS", "os.system", "torch.load", "torch.hub.load", "lightning:Trainer"])
def test_what_is_typed_is_trusted(path):
    check_trusted("c.yaml", [path], [typed_as(path)])
