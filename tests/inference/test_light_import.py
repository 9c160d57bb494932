"""Predicting needs little: what it never uses is not imported, and a mistyped name is answered before torch is."""

from __future__ import annotations

import subprocess
import sys

#: What training, plots, clusters and other networks need.
HEAVY = [
    *("lightning", "torchmetrics", "matplotlib", "ray", "scipy", "pandas", "sklearn", "transformers", "timm"),
    *("huggingface_hub", "fsspec", "jsonargparse", "rich", "sympy", "torch._dynamo", "torch._inductor"),
    *("torchvision", "pytorchvideo", "fvcore"),
]


def _loaded(code: str, names) -> set[str]:
    """Which of the modules a fresh interpreter has imported after the code."""
    code += f"\nimport sys; print(*sorted(set({list(names)}) & set(sys.modules)), file=sys.__stdout__)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_predictor_and_building_an_i3d_loads_neither_pytorchvideo_nor_torchvision():
    code = "from videogn.inference import Predictor\nfrom videogn.models import make_model\n"
    code += "make_model('i3d_tiny', 2, 'gn')"
    assert _loaded(code, HEAVY) == set()


def test_the_command_answers_before_torch(tmp_path):
    """Help, and all that can be known to be wrong without a network."""
    (tmp_path / "last.ckpt").touch()
    (tmp_path / "a.mp4").touch()
    here = [f"{tmp_path}/a.mp4", "--checkpoint"]
    wrong = [
        ["predict", *here, f"{tmp_path}/lst.ckpt"],
        ["predict", *here, "zoo:x3d_z"],
        ["predict", *here, "torchvision:r3d_18"],
        ["predict", *here, "torchvision:R3D18_Weights.KINETICS400_V1"],
        ["predict", f"{tmp_path}/b.mp4", "--checkpoint", f"{tmp_path}/last.ckpt"],
        ["predict", f"{tmp_path}/b.mp4", "--checkpoint", f"{tmp_path}/last.ckpt", f"--output={tmp_path}/a.csv"],
        ["features", f"{tmp_path}/b.mp4", "--checkpoint", f"{tmp_path}/last.ckpt", f"--output={tmp_path}/a.parquet"],
    ]
    code = f"""
import contextlib, io
from videogn.cli.main import main
def run(arguments, wanted):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(arguments)
        except SystemExit as end:
            assert end.code == wanted, (arguments, end.code)
for arguments in {[["--help"], ["predict", "--help"]]}:
    run(arguments, 0)
for arguments in {wrong}:
    run(arguments, 2)
"""
    assert _loaded(code, ["torch"]) == set()
