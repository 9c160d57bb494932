"""Exit statuses of the command, and the line that explains a failure."""

from __future__ import annotations

import sys
from typing import NoReturn

#: Exit status of any error that the user can correct.
USER_ERROR = 2


def fail(reason: object, status: int = USER_ERROR) -> NoReturn:
    """End the process with one line on standard error.

    Args:
        reason: Reason of the failure, and a valid alternative.
        status: Exit status. Default: 2.

    Raises:
        SystemExit: Always.
    """
    print(f"videogn: error: {' '.join(str(reason).split())}", file=sys.stderr)
    raise SystemExit(status)
