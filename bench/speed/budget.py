"""Fits a sweep into the time that it is given, by its estimate alone.

What is stored already does not count: a sweep that was stopped must find the same plan again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.speed.durations import drawing_seconds
from bench.speed.groups import Group
from bench.speed.wording import clock

# The rows of the paper's claim, which are thinned after the others.
HEADLINE = ("cart", "cart:256", "clip:paper", "clip:best")

# A row in one kind of numbers, and its groups by size.
Name = tuple[str, str]
Line = tuple[Group, ...]


@dataclass(frozen=True)
class Fitted:
    """What is measured of what was asked for.

    thinned  a sentence for each row that is measured less, or not at all
    """

    groups: tuple[Group, ...]
    thinned: tuple[str, ...]


def within_budget(groups: Sequence[Group], seconds: float, *, spare: bool) -> Fitted:
    """The groups that are estimated to take so long together.

    While the whole takes longer, the row that takes longest of those that can goes a step down:
    to its smallest and its largest size, to one process of each, to the largest size alone. The
    rows of HEADLINE keep both sizes and all processes for longer than the others.

    spare  whether rows may be left out where nothing less helps, as those that nobody named
    """
    whole = _lines(groups)
    lines = dict(whole)
    for step, headline in (
        (_ends, False),
        (_once, False),
        (_largest, False),
        (_ends, True),
        *([(_none, False)] if spare else []),
        (_once, True),
        (_largest, True),
    ):
        able = [name for name in whole if (name[0] in HEADLINE) == headline]
        for name in sorted(able, key=lambda name: -_seconds(lines[name])):
            if _whole_seconds(groups, lines) <= seconds:
                break
            lines[name] = step(lines[name])
    thinned = [name for name in whole if lines[name] != whole[name]]
    return Fitted(
        groups=tuple(each_kept_once(_kept(groups, lines))),
        thinned=tuple(_sentence(whole[name], lines[name]) for name in thinned),
    )


def each_kept_once(groups: Iterable[Group]) -> Iterator[Group]:
    """With what is built once, for the first that needs it, counted there alone.

    That is the drawn candidates, of which smaller galleries are the beginning, and what the
    cache keeps.
    """
    drawn: dict[int, int] = {}
    built: set[str] = set()
    for group in groups:
        if group.needs is None:
            yield group
            continue
        dim, size = group.row.dim, group.candidates
        drawing = drawing_seconds(max(0, size - drawn.get(dim, 0)), dim)
        drawn[dim] = max(size, drawn.get(dim, 0))
        there = sum(seconds for name, seconds in group.needs.kept.items() if name in built)
        built.update(group.needs.kept)
        first = max(group.duration.first - there, group.duration.next) + drawing
        yield replace(group, duration=replace(group.duration, first=first))


def _ends(line: Line) -> Line:
    return line if len(line) < 3 else (line[0], line[-1])


def _once(line: Line) -> Line:
    return tuple(replace(group, repeats=1) for group in line)


def _largest(line: Line) -> Line:
    return line[-1:]


def _none(line: Line) -> Line:
    return ()


def _lines(groups: Sequence[Group]) -> Mapping[Name, Line]:
    """Those that can run, by row and numbers, each by size."""
    found: dict[Name, Line] = {}
    for group in groups:
        if group.action == "run":
            found[_name(group)] = (*found.get(_name(group), ()), group)
    return found


def _name(group: Group) -> Name:
    return group.row.name, group.numbers


def _kept(groups: Sequence[Group], lines: Mapping[Name, Line]) -> list[Group]:
    """What is left of the groups, in their order."""
    left = {(_name(group), group.candidates): group for line in lines.values() for group in line}
    places = [(group, (_name(group), group.candidates)) for group in groups]
    return [
        left.get(place, group) for group, place in places if group.action != "run" or place in left
    ]


def _whole_seconds(groups: Sequence[Group], lines: Mapping[Name, Line]) -> float:
    return _seconds(each_kept_once(_kept(groups, lines)))


def _seconds(groups: Iterable[Group]) -> float:
    return sum(group.seconds for group in groups if group.action == "run")


def _sentence(whole: Line, left: Line) -> str:
    row = whole[0].row.name
    if not left:
        least = clock(_seconds(_once(_largest(whole))))
        return f"{row}: left out, since even {whole[-1].candidates:,} alone would take {least}."
    sizes = " and ".join(f"{group.candidates:,}" for group in left)
    alone = " alone" if len(left) < len(whole) else ""
    once = ", once" if left[0].repeats < whole[0].repeats else ""
    return (
        f"{row}: measured at {sizes}{alone}{once}; all of it would take {clock(_seconds(whole))}."
    )
