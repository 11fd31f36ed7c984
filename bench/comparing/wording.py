"""A comparison in sentences and figures, the same on the terminal and in the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.cells import Measure
from bench.comparing.outcome import Comparison
from bench.comparing.sides import Side
from bench.comparing.speed import SpeedCompared
from bench.comparing.verdicts import MEASURED, Compared, Verdict
from bench.summary import labels

_PLURAL = {
    "regression": "regressions",
    "drop within tolerance": "drops within tolerance",
    "improvement": "improvements",
}
_UNMEASURED: tuple[Verdict, ...] = (
    "lost",
    "failed in B",
    "failed in both",
    "new",
    "not measured again",
    "not comparable",
)


def names(rows: Sequence[Compared]) -> list[str]:
    """The retriever of each, told apart by checkpoint where a dataset has its name twice."""
    found: dict[int, str] = {}
    for group in grouped(rows).values():
        told = labels([rows[place].row for place in group])
        found.update(zip(group, told, strict=True))
    return [found[place] for place in range(len(rows))]


def grouped(rows: Sequence[Compared]) -> dict[tuple[str, str, str], list[int]]:
    """Dataset, protocol and direction -> positions of the rows."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for place, one in enumerate(rows):
        found.setdefault((one.row.dataset, one.row.protocol, one.direction), []).append(place)
    return found


def points(measure: Measure) -> tuple[str, str]:
    """A difference in points and its interval: "-1.2", "-2.3 to -0.1"."""
    low, high = 100 * measure.low, 100 * measure.high
    return f"{100 * measure.value:+.1f}", f"{low:+.1f} to {high:+.1f}"


def probability(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def side(of: Side) -> str:
    """What a side is: how many results, from when, of which revisions."""
    moments = [moment[:16].replace("T", " ") for moment in (of.first, of.last)]
    when = moments[0] if moments[0] == moments[1] else f"{moments[0]} to {moments[1]}"
    known = [revision or "outside a checkout" for revision in of.revisions]
    count = len(of.cells) + len(of.sweeps)
    told = f"{of.label}: {_counted(count, 'result')}, {when}"
    if known == [of.label]:
        return told
    word = "revision" if len(known) == 1 else "revisions"
    return f"{told}, {word} {', '.join(known)}"


def versions(found: Comparison) -> str:
    """The packages that differ: "torch 2.12.0 → 2.13.0"; "" where none does."""
    return ", ".join(
        f"{package} {'/'.join(before) or 'absent'} → {'/'.join(after) or 'absent'}"
        for package, (before, after) in found.differing_versions.items()
    )


def summary(found: Comparison) -> Iterator[str]:
    """What is to be known of the whole: the conclusion first."""
    yield _conclusion(found)
    yield from _counts(found)
    yield from _hidden(found)
    yield from _speed(found)


def _conclusion(found: Comparison) -> str:
    worse = [_worse(name, one) for name, one in zip(names(found.rows), found.rows, strict=True)]
    slower = [f"{each.row} is slower ({point(each)})" for each in found.slower]
    told = [*filter(None, worse), *(slower if found.with_speed else [])]
    if told:
        return f"Worse: {'; '.join(told)}."
    if slower:
        return f"No row finds significantly less, but {'; '.join(slower)}."
    return "Nothing is significantly worse."


def _worse(name: str, one: Compared) -> str:
    """What is worse of a row; "" where nothing is."""
    where = f"{name} on {one.row.dataset}"
    if one.direction == "media to text":
        where += " (media to text)"
    if one.verdict == "lost":
        return f"{where} is lost"
    if one.verdict == "failed in B":
        return f"{where} failed in B"
    drops = ", ".join(
        f"{change.metric} {points(change.apart)[0]} points"
        for change in one.changes
        if change.verdict == "regression"
    )
    return f"{where}: {drops}" if drops else ""


def _counts(found: Comparison) -> Iterator[str]:
    changes = Counter(change.verdict for one in found.rows for change in one.changes)
    if changes:
        told = [_counted(changes[verdict], verdict) for verdict in MEASURED if changes[verdict]]
        yield (
            f"{_counted(changes.total(), 'comparison')} by {', '.join(found.metrics)}: "
            f"{', '.join(told)}."
        )
    if changes.total() > 1:
        yield f"P-values are adjusted by Holm for all {changes.total()}."
    rows = Counter(one.verdict for one in found.rows)
    others = [f"{rows[verdict]} {verdict}" for verdict in _UNMEASURED if rows[verdict]]
    if others:
        yield f"Other rows: {', '.join(others)}."


def _hidden(found: Comparison) -> Iterator[str]:
    """How large a true difference could have been missed."""
    undecided = [
        change.detectable
        for one in found.rows
        for change in one.changes
        if change.verdict == "not told apart"
    ]
    if undecided:
        yield (
            f"Not told apart is not equal: in the least certain of these rows a true difference "
            f"of {100 * max(undecided):.1f} points is found 4 times in 5, a smaller one less often."
        )


def _speed(found: Comparison) -> Iterator[str]:
    if not found.speed:
        return
    verdicts = Counter(one.verdict for one in found.speed)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    fails = "" if found.with_speed or not found.slower else " Only with --speed is B worse by it."
    yield f"Queries/s: {told}.{fails}"
    if verdicts["not comparable"]:
        yield "Seconds of different machines or settings are not compared."
    if any(one.times and one.least is None for one in found.speed):
        yield (
            "Where neither side measured a row twice, a difference in queries/s may be what "
            "repeating alone changes."
        )


def point(one: SpeedCompared) -> str:
    """Where it was measured: "closed-100 on cpu, 1,000 candidates"."""
    return f"{part(one)}, {one.candidates:,} candidates"


def part(one: SpeedCompared) -> str:
    numbers = "" if one.numbers == "auto" else f", {one.numbers}"
    return f"{one.scenario} on {one.device}{numbers}"


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    plural = _PLURAL.get(what, what if what in MEASURED else f"{what}s")
    return f"{count:,} {plural}"
