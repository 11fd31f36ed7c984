"""The whole of one comparison, and what a command that made it ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.comparing.accuracy import compare
from bench.comparing.sides import Side
from bench.comparing.speed import SpeedCompared, compare_speed
from bench.comparing.verdicts import WORSE, Compared
from bench.options import ALL_DONE, SOME_FAILED


class NothingToCompare(Exception):
    """The sides have nothing in common; the message is a sentence."""


@dataclass(frozen=True)
class Comparison:
    """Side B held against side A.

    metrics     those that were tested
    tolerance   fraction of 1: a significant drop that is smaller is no regression
    with_speed  whether a slow-down makes B worse
    """

    before: Side
    after: Side
    metrics: tuple[str, ...]
    tolerance: float
    with_speed: bool
    rows: tuple[Compared, ...]
    speed: tuple[SpeedCompared, ...]

    @property
    def worse(self) -> tuple[Compared, ...]:
        """Rows with a regression, and those that B lost or that failed there."""
        return tuple(one for one in self.rows if one.verdict in WORSE)

    @property
    def slower(self) -> tuple[SpeedCompared, ...]:
        return tuple(one for one in self.speed if one.verdict == "slower")

    @property
    def differing_versions(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """package -> versions of A and of B, where they differ."""
        before, after = self.before.versions, self.after.versions
        return {
            package: (before.get(package, ()), after.get(package, ()))
            for package in sorted(before.keys() | after.keys())
            if before.get(package) != after.get(package)
        }

    @property
    def status(self) -> int:
        """The exit status: 1 where B is significantly worse, else 0."""
        return SOME_FAILED if self.worse or (self.with_speed and self.slower) else ALL_DONE


def comparison(
    before: Side, after: Side, metrics: Sequence[str], tolerance: float, *, with_speed: bool
) -> Comparison:
    """Hold ``after`` against ``before``. Raises NothingToCompare."""
    found = Comparison(
        before,
        after,
        tuple(metrics),
        tolerance,
        with_speed,
        compare(before, after, metrics, tolerance),
        compare_speed(before, after),
    )
    measured = any(one.changes for one in found.rows) or any(one.times for one in found.speed)
    if not measured and not found.worse:
        reasons = [one.reason for one in found.rows] + [one.reason for one in found.speed]
        told = " ".join(dict.fromkeys(reasons))
        raise NothingToCompare(
            f"No row of {before.label} can be compared with one of {after.label}. {told}".strip()
        )
    return found
