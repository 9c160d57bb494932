"""Are there known vulnerabilities in the locked packages? Asks with pip-audit, and says whether it got an answer.

    python scripts/audit.py requirements/package.txt requirements/dev.txt

Status 0: none is known. 1: some are, and they are listed. 3: the service could not be asked about every package;
pip-audit itself ends with 1 then, or with 0 where it has skipped packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

FOUND, NOT_ASKED = 1, 3
#: The locks have hashes and every dependency in them: pip need not be asked what to install.
PIP_AUDIT = [sys.executable, "-P", "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]


def main(locks: Sequence[str], program: Sequence[str] = PIP_AUDIT) -> int:
    """Audit the packages of lock files.

    Args:
        locks: Paths of requirements files with hashes.
        program: Program that is given `--format json` and `-r FILE` for each.

    Returns:
        Exit status.
    """
    if not locks:
        print("audit: name a lock file, for instance requirements/dev.txt", file=sys.stderr)
        return 2
    files = [word for lock in locks for word in ("-r", lock)]
    done = subprocess.run([*program, "--format", "json", *files], capture_output=True, text=True, check=False)
    packages = _packages(done.stdout)
    if not packages:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}, and no output"])[-1]
        print(f"audit: the service could not be asked, so nothing is known: {reason}", file=sys.stderr)
        return NOT_ASKED
    found = [package for package in packages if package.get("vulns")]
    for package in found:
        for known in package["vulns"]:
            fixed = ", ".join(known.get("fix_versions", ())) or "no version yet"
            print(f"{package['name']} {package.get('version')}: {known['id']}, fixed in {fixed}")
    skipped = [package for package in packages if "skip_reason" in package]
    if skipped:
        named = f"{skipped[0]['name']}: {skipped[0]['skip_reason']}"
        print(f"audit: the service could not be asked about {len(skipped)} packages, such as {named}", file=sys.stderr)
    asked = len(packages) - len(skipped)
    print(f"{asked} of {len(packages)} packages asked about, {len(found)} with known vulnerabilities")
    return FOUND if found else NOT_ASKED if skipped else 0


def _packages(output: str) -> list[dict[str, Any]]:
    """The packages of pip-audit's report; none where it wrote no report."""
    try:
        return list(json.loads(output)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
