"""Numbers as a report writes them."""

from __future__ import annotations

from collections.abc import Iterable

from videogn.report.document_blocks import DASH
from videogn.report.statistics import Interval

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 1) -> str:
    """With its sign: "+1.2", "−0.3", "0.0"."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def with_interval(interval: Interval | None) -> str:
    """A difference: "+1.2 ± 0.8", without the second where there is none."""
    if interval is None:
        return DASH
    half = interval.half_width
    return signed(interval.mean) if half is None else f"{signed(interval.mean)} ± {half:.1f}"


def between(interval: Interval | None) -> str:
    """The ends alone: "+0.4 to +2.0"."""
    if interval is None or interval.low is None or interval.high is None:
        return DASH
    return f"{signed(interval.low)} to {signed(interval.high)}"


def p_value(p: float) -> str:
    """ "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"


def listing(items: Iterable[object]) -> str:
    """ "1, 2 and 3"."""
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""


def counted(number: int, thing: str) -> str:
    """ "1 seed", "3 seeds"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
