"""Numbers as a report writes them."""

from __future__ import annotations

from collections.abc import Iterable

from videogn.report.document_blocks import DASH
from videogn.report.statistics import Interval

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign: "+1.2", "−0.3", "0.0"."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def with_interval(interval: Interval | None) -> str:
    """Write a difference: "+1.2 ± 0.8", or "+1.2" without an interval."""
    if interval is None:
        return DASH
    half = interval.half_width
    return signed(interval.mean) if half is None else f"{signed(interval.mean)} ± {half:.1f}"


def mean_within(interval: Interval) -> str:
    """Write an accuracy: "74.2 [68.1, 79.5]", or "74.2" without an interval."""
    ends = "" if interval.low is None or interval.high is None else f" [{interval.low:.1f}, {interval.high:.1f}]"
    return f"{interval.mean:.1f}{ends}"


def between(interval: Interval | None) -> str:
    """Write the ends of an interval: "+0.4 to +2.0"."""
    if interval is None or interval.low is None or interval.high is None:
        return DASH
    return f"{signed(interval.low)} to {signed(interval.high)}"


def p_value(p: float) -> str:
    """Write a p value: "p = 0.012", "p < 0.001"."""
    return f"p {p_number(p)}" if p < 0.001 else f"p = {p_number(p)}"


def p_number(p: float) -> str:
    """Write a p value in a column of them: "0.012", "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def listing(items: Iterable[object]) -> str:
    """Write a list: "1, 2 and 3"."""
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""
