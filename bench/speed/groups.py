"""The parts of a sweep's plan: what one fresh process serves, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.speed.cells import SpeedSpec
from bench.speed.durations import NOTHING, Duration
from bench.speed.request import Sweep
from bench.speed.store import LeftOutRow
from retrievers.serving.contract import Needs, Numbers, ServedRow

# Behind the name of a row that is measured a second time, as if it were another.
AGAIN = " (again)"

Action = Literal["run", "reuse", "skip", "fail"]


@dataclass(frozen=True)
class PlannedCell:
    """One result: a group in one scenario.

    failure  how it failed the last time, "" where it did not
    """

    spec: SpeedSpec
    stored: bool
    failure: str = ""


@dataclass(frozen=True)
class Group:
    """A row at a size in one kind of numbers: what one fresh process serves, in every scenario.

    asked    the name by which the row is found
    row      under the name that results have it by; that of the row that is measured a
             second time ends with AGAIN
    needs    None where there is no estimate
    action   "run" it, "reuse" what is stored, "skip" it, or "fail": its code does not even say
             what it needs
    reason   why it is skipped or fails
    """

    asked: str
    row: ServedRow
    numbers: Numbers
    candidates: int
    repeats: int
    action: Action
    reason: str = ""
    needs: Needs | None = None
    duration: Duration = NOTHING
    cells: tuple[PlannedCell, ...] = ()

    @property
    def title(self) -> str:
        numbers = "" if self.numbers == "auto" else f" in {self.numbers}"
        return f"{self.row.name}{numbers} of {self.candidates:,}"

    @property
    def seconds(self) -> float:
        """Estimated, of all its processes."""
        return self.duration.of(self.repeats)


@dataclass(frozen=True)
class Plan:
    """The groups of a sweep by size, ascending, and what the budget made of them.

    thinned  a sentence for each row that is measured less than was asked for
    """

    sweep: Sweep
    groups: tuple[Group, ...]
    thinned: tuple[str, ...]

    @property
    def running(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.action == "run")

    @property
    def seconds(self) -> float:
        """Estimated, of all that is to run."""
        return sum(group.seconds for group in self.running)

    def left_out(self) -> list[LeftOutRow]:
        return self._with_action("skip", "fail")

    def broken(self) -> list[LeftOutRow]:
        """Those of ``left_out`` whose code fails."""
        return self._with_action("fail")

    def _with_action(self, *actions: Action) -> list[LeftOutRow]:
        return [
            left_out_of(group, self.sweep.device, group.reason)
            for group in self.groups
            if group.action in actions and not group.row.name.endswith(AGAIN)
        ]


def left_out_of(group: Group, device: str, reason: str) -> LeftOutRow:
    return LeftOutRow(group.row.name, device, group.numbers, group.candidates, reason)
