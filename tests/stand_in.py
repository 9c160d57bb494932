"""A program that stands in for the two commands of every cell of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Plays `videogn fit` and `videogn test`: notes the call, does what the test told this cell, writes what they write.
_STAND_IN = """
import json, os, pathlib, signal, subprocess, sys, time
command, *arguments = sys.argv[1:]
options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
folder, beside = pathlib.Path(options["trainer.default_root_dir"]), pathlib.Path(__file__).parent
last = folder / "checkpoints" / "last.ckpt"
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
call = {"command": command, "cell": folder.name, "resumed": "ckpt_path" in options, "pid": os.getpid()}
with (beside / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({**call, **{name: os.environ.get(name) for name in names}}) + "\\n")
told = json.loads((beside / "told.json").read_text())
exec(told.get(f"{command} {folder.name}") or told.get(command) or "")
if command == "fit":
    last.parent.mkdir(exist_ok=True)
    last.touch()
    (folder / "metrics.csv").write_text("epoch,step,train/loss_step,val/top1\\n0,1,2.0,\\n0,1,,0.25\\n1,3,1.0,0.75\\n")
    (folder / "cost.json").write_text(json.dumps({"training_seconds": 2.0, "steps": 4, "ended_by": "max_epochs"}))
else:
    place = pathlib.Path(options["model.results_dir"])
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").write_text(json.dumps({"over_all": {"top1": 0.75}}))
"""


class StandIn:
    """A program, what it is told, and what it was called for; it keeps both in files beside itself."""

    def __init__(self, script: Path) -> None:
        self.script = script
        self.script.write_text(_STAND_IN)
        self.tell({})

    def tell(self, told: dict[str, str]) -> None:
        """Python to run first, by "fit CELL", "test CELL", "fit" or "test"."""
        (self.script.parent / "told.json").write_text(json.dumps(told))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """command, cell, resumed, pid and what it saw of the environment, call by call."""
        path = self.script.parent / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
