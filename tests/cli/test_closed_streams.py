"""Commands whose standard input, output and error are closed, as daemons and some CI systems leave them."""

from __future__ import annotations

import json
import subprocess
import sys

from training import evaluation_arguments, fit_arguments

#: Closes the streams of a Python that has not looked at them, and runs commands one after the other.
_PROGRAM = """
import json, os, sys
report, commands = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), json.loads(sys.argv[2])
os.dup2(report, 20)
sys.stdin = sys.stdout = sys.stderr = None
os.closerange(0, 3)
from videogn.cli.main import main
for command in commands:
    sys.argv = ["videogn", *command]
    try:
        main()
    except SystemExit as done:
        os.write(20, f"{done.code} ".encode())
"""


def test_every_kind_of_command_runs(motion, trained, tmp_path):
    checkpoint = str(trained / "checkpoints" / "last.ckpt")
    video = str(next((motion / "val").rglob("*.mp4")))
    commands = [
        ["data", "show", str(motion)],
        ["predict", video, "--checkpoint", checkpoint, "--output", str(tmp_path / "out.csv")],
        ["predict", "--list", "-", "--checkpoint", checkpoint],  # which is closed
        fit_arguments(motion, tmp_path / "fit"),
        evaluation_arguments("test", motion, tmp_path / "test", checkpoint),
        ["plan", "--arch", "no such network"],
    ]
    report = tmp_path / "statuses"
    argv = [sys.executable, "-c", _PROGRAM, str(report), json.dumps(commands)]
    subprocess.run(argv, check=True, timeout=300)
    assert report.read_text().split() == ["0", "0", "2", "0", "0", "2"]
    assert len((tmp_path / "out.csv").read_text().splitlines()) > 1
    assert (tmp_path / "test" / "results.json").is_file()
