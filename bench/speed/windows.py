"""When a timed run may end, and what of it counts: windows over the instants of completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.speed.cells import Window

# The last three windows within 10 % of their mean: the rule by which a run is called steady.
AGREEING = 3
TOLERANCE = 0.1
# A run that does not become steady ends after this many times the seconds that were asked for.
LONGEST = 4
# Windows in the seconds that were asked for, twice those that must agree.
IN_A_RUN = 6

FloatArray = npt.NDArray[np.float64]


@dataclass
class Cutter:
    """Cuts completions into windows as they come.

    A window ends with the first completions ``width`` seconds after it began or later, and the
    next begins there: answers that come together, as those of a batch do, are never parted, and
    a window of slow batches lasts as long as they take.
    """

    begin: float
    width: float
    windows: list[Window] = field(default_factory=list)
    _since: int = 0

    def add(self, at: float, completed: int) -> bool:
        """Take completions at one instant, later than all before; true where a window ends."""
        self._since += completed
        if at - self.begin < self.width or not self._since:
            return False
        self.windows.append(Window(self.begin, at, self._since))
        self.begin, self._since = at, 0
        return True


def rates(windows: Sequence[Window]) -> list[float]:
    """Completions a second in each window."""
    return [window.completed / (window.end - window.begin) for window in windows]


def steady(figures: Sequence[float]) -> bool:
    """Whether the last three lie within 10 % of their mean."""
    return len(figures) >= AGREEING and _close(figures[-AGREEING:])


def steady_part(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The most windows at the end that all lie within 10 % of their mean; all where not three."""
    figures = rates(windows)
    for first in range(len(windows) - AGREEING + 1):
        if _close(figures[first:]):
            return tuple(windows[first:])
    return tuple(windows)


def may_end(figures: Sequence[float], elapsed: float, seconds: float) -> bool:
    """Whether a run of which ``seconds`` were asked may end, given one figure a window.

    It may once it is steady, and in any case after four times as long, but never with less than
    two windows.
    """
    if elapsed < seconds:
        return False
    return steady(figures) or (elapsed >= LONGEST * seconds and len(figures) >= 2)


def covered(spans: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds between ``begin`` and ``end`` that lie in at least one span."""
    total, reached = 0.0, begin
    for first, last in sorted(spans):
        first, last = max(first, reached), min(last, end)
        if last > first:
            total, reached = total + last - first, last
    return total


def _close(figures: Sequence[float]) -> bool:
    found = np.asarray(figures, np.float64)
    mean = found.mean()
    return bool(np.isfinite(mean) and (np.abs(found - mean) <= TOLERANCE * mean).all())
