"""The audit of the locked packages tells "none known" from "nobody answered"."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"
FINE = {"name": "numpy", "version": "2.4.6", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2"}]}
SKIPPED = {"name": "lost", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def _stand_in(output, error="", status=0):
    """A program that answers as pip-audit does."""
    code = f"import sys; sys.stdout.write({output!r}); sys.stderr.write({error!r}); sys.exit({status})"
    return [sys.executable, "-c", code]


def _report(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        (_stand_in(_report(FINE)), 0, "1 of 1 packages asked about, 0 with known vulnerabilities"),
        (_stand_in(_report(FINE, BAD), status=1), 1, "old 1.0: PYSEC-1, fixed in 1.1\nold 1.0: PYSEC-2, fixed in no"),
        (_stand_in("", "Traceback\nConnectionError: no route to host\n", 1), 3,
         "could not be asked, so nothing is known: ConnectionError: no route to host"),
        (_stand_in(""), 3, "status 0, and no output"),
        (_stand_in(_report()), 3, "could not be asked"),
        (_stand_in("<html>Service unavailable</html>", status=0), 3, "could not be asked"),
        # A mirror that knows nothing answers "not found" for each: pip-audit skips them and ends with 0.
        (_stand_in(_report(FINE, SKIPPED)), 3, "could not be asked about 1 packages, such as lost: Depend"),
        (_stand_in(_report(BAD, SKIPPED), status=1), 1, "1 of 2 packages asked about, 1 with known"),
    ],
)  # fmt: skip
def test_none_known_some_known_and_nobody_asked(audit, capsys, program, status, words):
    assert audit(["requirements/dev.txt"], program) == status
    printed = capsys.readouterr()
    assert words in printed.out + printed.err


def test_nothing_to_audit(audit, capsys):
    assert audit([]) == 2
    assert "name a lock file" in capsys.readouterr().err
