"""The layers of the design, read from the imports of the source."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import videogn

PACKAGE = Path(videogn.__file__).parent

# Rooms, from the ground up: a module imports from its own layer or a lower one.
LAYERS = (
    (
        *("axes", "choices", "checks", "trust", "extensions", "source_names"),
        *("stated_shapes", "system", "norm", "evaluation"),
    ),
    ("video", "models", "engine_files"),
    ("data", "memory", "indexing"),
    ("training", "inference"),
    ("study", "report", "pictures", "bench", "exporting", "webpage"),
    ("cli", "__main__"),
)
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}


def _name(path: Path) -> str:
    parts = ["videogn", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@functools.cache
def _imports(module: str) -> frozenset[str]:
    """Full names of the modules that `module` imports anywhere in it, also in functions."""
    found = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import, which this test does not follow"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return frozenset(found)


def _own(module: str) -> set[str]:
    return {name for name in _imports(module) if name in MODULES}


def _layer(module: str) -> int:
    room = module.split(".")[1] if module != "videogn" else "axes"
    assert room in LAYER_OF, f"{module} has no layer: add its room to the table above"
    return LAYER_OF[room]


def _top(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_imports_point_down():
    """A module imports from its own layer or a lower one."""
    upward = [
        f"{module} imports {other}, which lies above it"
        for module in MODULES
        for other in _own(module)
        if _layer(other) > _layer(module)
    ]
    assert not upward


def test_no_import_cycles():
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for other in _own(module):
                visit(other, (*above, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("package", ["videogn.data", "videogn.models", "videogn.evaluation"])
def test_data_models_and_evaluation_do_not_know_one_another(package):
    others = {"videogn.data", "videogn.models", "videogn.evaluation"} - {package}
    for module in MODULES:
        if _top(module) == package:
            assert not {_top(other) for other in _own(module)} & others, module


def test_only_video_imports_a_decoder():
    for module in MODULES:
        decoders = {name.split(".")[0] for name in _imports(module)} & {"av", "decord", "torchcodec"}
        assert not decoders or _top(module) == "videogn.video", f"{module} imports {decoders}"


def test_reports_need_no_torch():
    """Neither the report modules nor anything that importing them imports; seen in a fresh interpreter."""
    modules = [module for module in MODULES if _top(module) == "videogn.report"]
    assert modules
    code = f"import sys, {', '.join(modules)}; sys.exit(bool({{'torch', 'lightning'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


#: What a fit checkpoint is held against when it is read.
DESCRIBED = """
from videogn.models.described_network import Described
Described(None, 'i3d_tiny', 2, 'gn', None, None).tensors()
"""


@pytest.mark.parametrize(
    ("module", "most", "foreign", "then"),
    [
        (
            "videogn.cli.lightning_cli",
            163,
            {"videogn.report", "videogn.study", "videogn.inference", "videogn.norm.triton_group_norm"},
            "",
        ),
        # torch._dynamo, PyTorch's compiler, takes as long as half of torch.
        (
            "videogn.inference.predictor",
            101,
            {
                "videogn.training",
                "lightning",
                "torchmetrics",
                "matplotlib",
                "torch._dynamo",
                "triton",
                "sympy",
                "torchvision",
            },
            DESCRIBED,
        ),
    ],
)
def test_training_and_predicting_load_what_they_need(module, most, foreign, then):
    """In a fresh interpreter; `__init__` files are not counted."""
    code = f"import sys, {module}{then or chr(10)}print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not foreign & loaded
    assert sum(name in loaded and path.name != "__init__.py" for name, path in MODULES.items()) <= most


def test_the_package_itself_imports_nothing():
    """`videogn --help` must not wait for torch."""
    assert _imports("videogn") <= {"__future__"}


def test_files_are_short_and_named_for_what_they_hold():
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert not {module: length for module, length in lengths.items() if length > 350}
    vague = {"utils", "util", "helper", "helpers", "common", "manager", "misc"}
    assert not [module for module in MODULES if vague & set(module.split("."))]


def test_no_norm_is_treated_by_its_class():
    """No isinstance or issubclass that names a normalisation class: BN and GN are handled alike."""
    kinds = ("BatchNorm", "GroupNorm", "LayerNorm", "InstanceNorm", "_NormBase")
    found = []
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            if called in ("isinstance", "issubclass") and any(kind in ast.unparse(node) for kind in kinds):
                found.append(f"{module}, line {node.lineno}: {ast.unparse(node)}")
    assert not found
