"""A line on the terminal for each cell that is being computed beside others, and one for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text


class _Told(ProgressColumn):
    """What a line says just now; never markup, for the names of variants hold brackets."""

    def render(self, task: Task) -> Text:
        told: Callable[[], str] = task.fields["told"]
        return Text(told())


class Underway:
    """The cells under way, each with its phase and the time since it began.

    left  says how long the whole still takes; it is asked again and again
    """

    def __init__(self, *, shown: bool, left: Callable[[], str]) -> None:
        self._lines = Progress(
            SpinnerColumn(),
            _Told(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not shown,
        )
        self._lines.add_task("", total=None, told=left)

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
        said = "start"

        def phase(name: str) -> None:
            nonlocal said
            said = name

        line = self._lines.add_task("", total=None, told=lambda: f"{title}: {said}")
        try:
            yield phase
        finally:
            self._lines.remove_task(line)
