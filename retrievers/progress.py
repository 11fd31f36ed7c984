"""Progress bars with the time left, for work that reports (label, done, total)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

# No time left is told unless two steps end within it, and a batch of videos takes minutes.
_SECONDS_LOOKED_BACK = 3600.0


class Bars:
    """One bar a label, drawn on standard error while ``shown``; otherwise silent."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw within this block. Blocks may be nested; the outermost draws."""
        if self._progress is not None:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns,
            console=Console(stderr=True),
            transient=True,
            speed_estimate_period=_SECONDS_LOOKED_BACK,
        ) as progress:
            self._progress = progress
            try:
                yield
            finally:
                self._progress, self._tasks = None, {}

    def step(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of the work called ``label``."""
        if self._progress is None:
            return
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)
