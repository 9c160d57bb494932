"""Configurations that name functions and classes: only known ones and those that the user trusts are imported."""

from __future__ import annotations

import sys

import pytest
import yaml
from jsonargparse._util import import_object

from videogn.cli.allowed_names import only_names_of


def _lambda(function):
    return {"trainer": {"callbacks": [{"class_path": "LambdaCallback", "init_args": {"on_fit_start": function}}]}}


def test_to_trust_a_part_of_what_is_known_takes_nothing_from_the_next_command():
    name = "videogn.training.callbacks"
    with only_names_of([name]):
        pass
    with only_names_of([]):
        assert import_object(f"{name}.RunHistory").__name__ == "RunHistory"


@pytest.fixture
def parsed(videogn, tmp_path, capsys):
    """Parse a configuration of fit; the status and the last line of what is said."""

    def parse(content, *options):
        path = tmp_path / "theirs.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        status = videogn("fit", "--config=motion", f"--config={path}", f"--data.root={tmp_path}", *options)
        return status, (capsys.readouterr().err.strip().splitlines() or [""])[-1]

    return parse


def _marker(tmp_path):
    """A class that leaves a file where it is made: were it made, its file would be there."""
    return {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(tmp_path / "made")]}}


@pytest.mark.parametrize(
    ("function", "named"),
    [
        ("os.system", "os.system, a part of Python itself"),
        ("torch.nn.modules.module.warnings.warn", "_warnings.warn, a part of Python itself"),  # by a known name
        ("torch.hub.load", "torch.hub.load, code that is imported only if you trust it: add --trust torch.hub"),
        ("own_hooks.hello", "own_hooks.hello, code that is imported only if you trust it: add --trust own_hooks"),
    ],
)
def test_a_function_from_anywhere_is_refused(parsed, function, named):
    assert function not in sys.modules
    status, line = parsed(_lambda(function), "--print_config")
    assert status == 2
    assert line.startswith(f"videogn: error: a configuration names {named}")


@pytest.mark.parametrize(
    "section",
    [
        lambda made: {"trainer": {"callbacks": [made]}},
        lambda made: {"trainer": {"plugins": [made]}},
        lambda made: {"trainer": {"strategy": made}},
        lambda made: _lambda(made),
        lambda made: {"trainer": {"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": made}}}},
        lambda made: {"model": {"optimizer": made}},
        lambda made: {"model": {"scheduler": {"class_path": "LambdaLR", "init_args": {"lr_lambda": made}}}},
        lambda made: {"model": made},
        lambda made: {"data": made},
        lambda made: {"trainer": made},
        lambda made: {"model": {"arch_options": {"dropout": made}}},
        lambda made: {"trust": ["subprocess"], **_lambda(made)},
        lambda made: f"trainer: !!python/object/apply:subprocess.Popen [{made['init_args']['args']}]",
    ],
)
def test_no_class_from_anywhere_is_made(parsed, tmp_path, section):
    status, line = parsed(section(_marker(tmp_path)))
    assert status == 2, line
    assert line.startswith("videogn: error: ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["arch", "norm"])
@pytest.mark.parametrize("path", ["os.system", "own_hooks.hello", "torch.hub.load"])
def test_a_network_or_norm_from_anywhere_is_refused(parsed, name, path):
    status, line = parsed({"model": {name: path}})
    assert status == 2
    assert f"a configuration names {path}, " in line


@pytest.mark.parametrize(
    "content",
    [
        {"model": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.1}}}},
        {
            "model": {
                "scheduler": {
                    "class_path": "lightning.pytorch.cli.ReduceLROnPlateau",
                    "init_args": {"monitor": "val/loss"},
                }
            }
        },
        {"trainer": {"callbacks": [{"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss"}}]}},
        {"trainer": {"callbacks": [{"class_path": "videogn.training.callbacks.RunHistory"}]}},
        {"trainer": {"strategy": {"class_path": "DDPStrategy"}, "profiler": "SimpleProfiler"}},
        {"trainer": {"plugins": [{"class_path": "lightning.pytorch.plugins.environments.SLURMEnvironment"}]}},
        {"trainer": {"logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "r"}}}},
        _lambda("torch.nn.functional.relu"),
        {"model": {"norm": "torch.nn.BatchNorm3d"}},
    ],
)
def test_what_trainings_are_made_of_needs_no_trust(parsed, content):
    status, line = parsed(content, "--print_config")
    assert status == 0, line


@pytest.fixture
def hooks(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_hooks.py").write_text("def hello(*_):\n    pass\n")
    monkeypatch.syspath_prepend(folder)
    yield "own_hooks.hello"
    sys.modules.pop("own_hooks", None)


def test_what_is_trusted_by_name_works_for_one_command(parsed, hooks):
    assert parsed(_lambda(hooks), "--print_config")[0] == 2
    assert parsed(_lambda(hooks), "--print_config", "--trust", "own_hooks")[0] == 0
    assert "own_hooks" in sys.modules
    assert parsed(_lambda(hooks), "--print_config")[0] == 2  # and is nothing to the next


def test_what_is_typed_is_trusted(parsed, hooks):
    words = ["--trainer.callbacks=LambdaCallback", f"--trainer.callbacks.on_fit_start={hooks}"]
    assert parsed({}, *words, "--print_config")[0] == 0
    assert "own_hooks" in sys.modules


def test_a_known_class_stays_known_after_a_command_that_names_it():
    """Also where the user trusts it once more."""
    from jsonargparse import ArgumentParser
    from torch import nn

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--layer", type=nn.Module)
    with only_names_of(["torch.nn"]):
        pass
    with only_names_of([]):
        assert parser.parse_args(["--layer=torch.nn.ReLU"]).layer.class_path.endswith("ReLU")
