"""Figures and durations as they are shown."""

from __future__ import annotations

from bench.cells import Measure


def figure(value: float) -> str:
    """Three digits: 0.0123, 4.56, 78.9, 123, 45,678; two with a power of ten of what is very
    small."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if 0 < value < 1e-4 else f"{value:.3g}"


def compact(value: float) -> str:
    """As ``figure``, large ones in thousands or millions: 99,999, 286k, 10.1M."""
    if value >= 1_000_000:
        return f"{figure(value / 1_000_000)}M"
    return f"{figure(value / 1000)}k" if value >= 100_000 else figure(value)


def bounds(measure: Measure) -> str:
    """An interval, in thousands where the digits would not fit."""
    if measure.high < 100_000:
        return f"{figure(measure.low)}–{figure(measure.high)}"
    return f"{measure.low / 1000:,.0f}k–{measure.high / 1000:,.0f}k"


def times(measure: Measure) -> str:
    """A ratio with its interval: 12.3x (11.8–12.9)."""
    return f"{_factor(measure.value)}x ({_factor(measure.low)}–{_factor(measure.high)})"


def clock(seconds: float) -> str:
    """ "1:02:03" or "2:03", of whole seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _factor(value: float) -> str:
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
