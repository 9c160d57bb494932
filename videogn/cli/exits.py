"""Exit statuses of the command, and the line that explains a failure."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

from videogn.system.displayable import one_line

#: Exit status of any error that the user can correct.
USER_ERROR = 2
#: How a command goes on that was stopped and has kept nothing of what it did.
ANEW = "the same command begins anew"
#: Exit status where nobody reads the output any more: that of a command that SIGPIPE ends.
NO_READER = 141
#: Most letters of a reason: it may quote what was read, and that may be a file of another kind.
_LONGEST = 4000


def name_failure(path: str, reason: str) -> None:
    """Name a video that failed, on standard error; the command goes on.

    Args:
        path: Path of the video.
        reason: Why it failed.
    """
    print(one_line(f"{path}: {reason}"), file=sys.stderr)


def fail(reason: object, status: int = USER_ERROR) -> NoReturn:
    """End the process with one line on standard error.

    Args:
        reason: Reason of the failure, and a valid alternative.
        status: Exit status. Default: 2.

    Raises:
        SystemExit: Always.
    """
    line = one_line(" ".join(str(reason).split()))
    with suppress(OSError):  # standard error may be a log on a full disk; the status says it all the same
        print(f"videogn: error: {line if len(line) <= _LONGEST else f'{line[:_LONGEST]} ...'}", file=sys.stderr)
    raise SystemExit(status)
