"""Numbers of worker processes as a command takes them."""

from __future__ import annotations

from videogn.system.cores import available_cores


def worker_counts(text: str | None) -> tuple[int, ...]:
    """Read the numbers of worker processes that a measurement tries.

    Args:
        text: Numbers separated by commas. Default (None): 0, 1, 2, 4, ... up to the number of cores.

    Returns:
        The numbers, each once.

    Raises:
        ValueError: The text is something else.
    """
    if text is None:
        cores = available_cores()
        return (0, *(2**power for power in range(cores.bit_length()) if 2**power < cores), cores)
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"--workers takes numbers separated by commas, such as 0,1,2, got {text!r}")
    return tuple(dict.fromkeys(map(int, words)))
