"""The videos that PyAV decoded because the decoder that was asked for is not exact on them."""

from __future__ import annotations

from collections.abc import Iterable

from videogn.system.displayable import displayable
from videogn.system.sizes import counted


class Fallbacks:
    """Counts decoded videos, and those among them that fell back to PyAV.

    Args:
        decoder: Decoder that was asked for.

    Attributes:
        total: Number of decoded videos.
        reasons: Path -> reason, of the videos that PyAV decoded in its place.
    """

    def __init__(self, decoder: str) -> None:
        self.decoder = decoder
        self.total = 0
        self.reasons: dict[str, str] = {}

    def add(self, path: str, fallback: str | None) -> None:
        """Count a decoded video.

        Args:
            path: Path of the file.
            fallback: Reason why PyAV decoded it, or None.
        """
        self.total += 1
        if fallback is not None:
            self.reasons[path] = fallback

    def join(self, others: Iterable[Fallbacks]) -> Fallbacks:
        """Return the sum of these counts and others."""
        joined = Fallbacks(self.decoder)
        for part in (self, *others):
            joined.total += part.total
            joined.reasons |= part.reasons
        return joined

    def message(self) -> str | None:
        """Return one line: how many videos PyAV decoded, and one with its reason; None if there were none."""
        if not self.reasons:
            return None
        path, reason = next(iter(self.reasons.items()))
        return (
            f"PyAV decodes {len(self.reasons):,} of {counted(self.total, 'video')}, on which {self.decoder} is not "
            f"exact, for instance {displayable(path)}: {reason}"
        )
