"""Figures as a reader meets them: per cent, seconds, bytes, counts, dates, unseen characters."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from bench.unseen import visible as visible

ABSENT = "–"


def percent(fraction: float) -> str:
    """A fraction of 1 as per cent with one decimal, without the sign: 0.5766 -> "57.7"."""
    return f"{100 * fraction:.1f}"


def chance(right: int, ranked: int) -> str:
    """The chance of ``right`` in ``ranked`` as per cent with two digits, 100 at most."""
    share = 100 * min(1.0, right / ranked)
    return "100" if share > 99 else f"{share:.2g}"


def p_value(value: float) -> str:
    """A p-value with two digits: 0.21, 0.034, 0.0012, < 0.001."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def seconds(value: float | None) -> str:
    """A duration in the unit that needs the fewest digits: 0.42 s, 38 s, 2 min 05 s, 1 h 12 min."""
    if value is None:
        return ABSENT
    if 0 < value < 0.01:
        return "< 0.01 s"
    if value < 9.95:
        return f"{value:.2g} s" if value < 0.995 else f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(value: float | None) -> str:
    """Bytes in decimal units, three digits or so: 512 B, 1.5 kB, 23 MB, 1.2 GB."""
    if value is None:
        return ABSENT
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def count(value: int | None) -> str:
    """A whole number with commas between thousands."""
    return ABSENT if value is None else f"{value:,}"


def figure(value: float, beside: float | None = None) -> str:
    """A figure with three digits, or all of its whole ones: 0.0123, 1.23, 97.1, 12,345.

    A bound of an interval has as many decimals as the figure that it stands ``beside``.
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else ABSENT
    return f"{value:,.{_decimals(value if beside is None else beside)}f}"


def _decimals(value: float) -> int:
    """Those of three digits; none where the whole part has as many."""
    if value == 0 or not math.isfinite(value):
        return 0
    # Rounding may gain a digit: 9.996 is 10.0, and not 10.00.
    rounded = float(f"{value:.2e}")
    return max(0, 2 - math.floor(math.log10(abs(rounded))))


def milliseconds(value: float) -> str:
    """A short duration: 0.05 ms, 4.70 ms, 57.1 ms, 1,177 ms; from 10,000 ms on as ``seconds``."""
    if value >= 9999.5:
        return seconds(value / 1000)
    if 0 < value < 0.005:
        return "< 0.01 ms"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} ms"


def plain(value: float) -> str:
    """A figure of unknown unit: whole numbers as they are, others to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def moment(stamp: str) -> str:
    """An ISO 8601 time as "21 November 2026, 09:45 UTC"; other text as it is."""
    when = _parsed(stamp)
    return stamp if when is None else f"{_day(when)}, {_clock(when)}"


def span(first: str, last: str) -> str:
    """Two moments as one phrase, with the day once where it is the same."""
    start, end = _parsed(first), _parsed(last)
    if start is None or end is None or _day(start) != _day(end):
        return f"{moment(first)} to {moment(last)}"
    if _clock(start) == _clock(end):
        return moment(last)
    return f"{_day(start)}, {start:%H:%M} to {_clock(end)}"


def _parsed(stamp: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return when if when.tzinfo is None else when.astimezone(UTC)


def _day(when: datetime) -> str:
    return f"{when.day} {when:%B %Y}"


def _clock(when: datetime) -> str:
    return f"{when:%H:%M}" if when.tzinfo is None else f"{when:%H:%M} UTC"


def cut(text: str, most: int) -> str:
    """Text of at most ``most`` characters, the last one … where some were left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
