"""Fits a sweep into the time that it is given, by its estimate alone.

What is stored already does not count: a sweep that was stopped must find the same plan again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.speed.groups import Group


def within_budget(groups: Sequence[Group], seconds: float) -> tuple[list[Group], tuple[str, ...]]:
    """The groups to measure, and a sentence for each row that is measured less.

    While the whole is estimated to take longer than ``seconds``, the row that takes longest is
    measured at its smallest and its largest size alone, by one process each.
    """
    kept, sentences = list(groups), []
    lines = _lines(groups)
    for line in sorted(lines, key=lambda line: -_seconds(line)):
        if _seconds(kept) <= seconds:
            break
        ends = {line[0].candidates, line[-1].candidates}
        once = [replace(group, repeats=1) for group in line if group.candidates in ends]
        if _seconds(once) < _seconds(line):
            kept = _replaced(kept, line, once)
            sentences.append(_sentence(line, once))
    return kept, tuple(sentences)


def _lines(groups: Sequence[Group]) -> list[list[Group]]:
    """Those that can run, by row and numbers, each by size."""
    found: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        if group.action == "run":
            found.setdefault((group.row.name, group.numbers), []).append(group)
    return list(found.values())


def _seconds(groups: Sequence[Group]) -> float:
    return sum(group.seconds for group in groups if group.action == "run")


def _replaced(groups: Sequence[Group], line: Sequence[Group], once: Sequence[Group]) -> list[Group]:
    instead = {group.candidates: group for group in once}
    names = {(group.row.name, group.numbers) for group in line}
    found = []
    for group in groups:
        if group.action == "run" and (group.row.name, group.numbers) in names:
            if group.candidates in instead:
                found.append(instead[group.candidates])
        else:
            found.append(group)
    return found


def _sentence(line: Sequence[Group], once: Sequence[Group]) -> str:
    name = line[0].row.name
    sizes = " and ".join(f"{group.candidates:,}" for group in once)
    return (
        f"{name}: measured at {sizes} alone, once, since all of it would take "
        f"{_seconds(line) / 60:.0f} minutes; --budget 0 measures all."
    )
