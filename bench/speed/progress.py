"""A bar for the whole sweep, with the time that is left by the estimates and by what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from bench.speed.wording import clock
from retrievers.serving.contract import Say

# The estimates count as if they had held for this long before anything was seen.
TRUSTED_SECONDS = 60.0


@dataclass
class Pace:
    """How long things take, of what they were estimated to take.

    estimated  seconds of what is done
    seen       that it took
    """

    estimated: float = 0.0
    seen: float = 0.0

    def left(self, estimated: float) -> float:
        """Seconds that something estimated so will take."""
        return estimated * (TRUSTED_SECONDS + self.seen) / (TRUSTED_SECONDS + self.estimated)


class _Left(ProgressColumn):
    """The time left, which also goes on while a process says nothing."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds

    def render(self, task: Task) -> Text:
        return Text(f"{clock(self._seconds())} left")


class SweepProgress:
    """The processes of a sweep, of which one is under way at a time."""

    def __init__(self, processes: int, seconds: float, *, console: Console, shown: bool) -> None:
        self._whole, self._pace = seconds, Pace()
        self._waiting = seconds
        self._since, self._current = time.monotonic(), 0.0
        self._bar = Progress(
            BarColumn(16),
            TextColumn("{task.fields[number]}/{task.fields[processes]}"),
            _Left(self.left),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not shown,
        )
        self._task = self._bar.add_task("", total=seconds, number=0, processes=processes)
        self._number = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def passed(self, seconds: float) -> None:
        """A process that need not run was estimated to take so long."""
        self._waiting -= seconds
        self._number += 1
        self._show("")

    @contextmanager
    def process(self, title: str, seconds: float) -> Iterator[Say]:
        """Show a process, estimated to take so long, for the span of a ``with``."""
        self._waiting -= seconds
        self._since, self._current = time.monotonic(), seconds
        self._number += 1
        self._show(title)

        def say(what: str, done: int, total: int) -> None:
            self._show(f"{title}: {what}{f' {done / total:.0%}' if total > 1 else ''}")

        try:
            yield say
        finally:
            self._pace.estimated += seconds
            self._pace.seen += time.monotonic() - self._since
            self._current = 0.0

    def left(self) -> float:
        """Seconds until the last process has ended, by the estimates and by what was seen."""
        gone = time.monotonic() - self._since if self._current else 0.0
        return self._pace.left(self._waiting) + max(0.0, self._pace.left(self._current) - gone)

    def _show(self, description: str) -> None:
        self._bar.update(
            self._task,
            description=description,
            number=self._number,
            completed=max(0.0, self._whole - self._waiting - self._current),
        )
