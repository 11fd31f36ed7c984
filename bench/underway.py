"""A line on the terminal for each cell that is being computed beside others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Underway:
    """The cells under way, each with its phase and the time since it began."""

    def __init__(self, *, shown: bool) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._lines = Progress(
            *columns, console=Console(stderr=True), transient=True, disable=not shown
        )

    def __enter__(self) -> Self:
        self._lines.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.stop()

    @contextmanager
    def cell(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a cell for the span of a ``with``; what is given takes its phase."""
        line = self._lines.add_task(f"{title}: start", total=None)

        def phase(name: str) -> None:
            self._lines.update(line, description=f"{title}: {name}")

        try:
            yield phase
        finally:
            self._lines.remove_task(line)
