"""Whether a row was asked the same on both sides, and the sentence that says why it was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.asked import Asked, NothingAsked, asked
from bench.comparing.pairing import Paired
from bench.comparing.sides import Side
from bench.comparing.verdicts import Compared, Direction, Verdict
from bench.summary import Row


@dataclass(frozen=True)
class Both:
    """The same queries on both sides, and what was said so far of the row."""

    told: Compared
    before: Asked
    after: Asked


def directions(pair: Paired) -> Iterator[Direction]:
    yield "text to media"
    both_done = pair.before and pair.after and pair.before.status == pair.after.status == "done"
    if both_done and any(row.reverse for row in (pair.before, pair.after) if row):
        yield "media to text"


def met(pair: Paired, direction: Direction, before: Side, after: Side) -> Compared | Both:
    """The row's queries on both sides, or why it has none to be compared by."""
    told = Compared(pair.shown, direction, "not comparable")
    old, new = pair.before, pair.after
    if old is None:
        return replace(told, verdict="new", reason="A has no such row.")
    if new is None:
        return _gone(told, after)
    if old.protocol != new.protocol:
        return replace(told, reason=f"A was measured under {old.protocol}, B under {new.protocol}.")
    if "done" not in (old.status, new.status):
        return replace(told, verdict="failed in both", reason=new.reason)
    if new.status != "done":
        return replace(told, verdict="failed in B", reason=new.reason)
    if old.status != "done":
        return replace(told, verdict="new", reason=f"It failed in A: {old.reason}")
    if direction == "media to text" and not (old.reverse and new.reverse):
        verdict: Verdict = "lost" if old.reverse else "new"
        side = "B" if old.reverse else "A"
        return replace(told, verdict=verdict, reason=f"{side} ranks no texts for an item.")
    return _asked_alike(told, old, new, before, after)


def _gone(told: Compared, after: Side) -> Compared:
    if after.whole:
        return replace(told, verdict="lost", reason="B has no such row.")
    return replace(
        told,
        verdict="not measured again",
        reason="B has no result of its own: what its code does not change is reused.",
    )


def _asked_alike(told: Compared, old: Row, new: Row, before: Side, after: Side) -> Compared | Both:
    shared = set(old.seeds) & set(new.seeds)
    reverse = told.direction == "media to text"
    try:
        first, second = (
            asked(_of_seeds(row, shared), side.store, reverse=reverse)
            for row, side in ((old, before), (new, after))
        )
    except NothingAsked as problem:
        return replace(told, reason=str(problem))
    if first.digest != second.digest:
        return replace(told, reason="The data differ: another digest.")
    if first.of != second.of:
        return replace(told, reason="The queries differ.")
    if len(set(first.items)) < 2:
        return replace(told, reason="The queries of a single item tell nothing apart.")
    counted = replace(told, queries=len(first.queries), items=len(set(first.items)))
    return Both(replace(counted, remarks=tuple(_remarks(old, new, shared))), first, second)


def _of_seeds(row: Row, shared: set[int]) -> Row:
    """The row with the seeds that both sides have, or with all where they share none."""
    cells = tuple(cell for cell in row.cells if cell.spec.seed in shared or not shared)
    return replace(row, cells=cells)


def _remarks(old: Row, new: Row, shared: set[int]) -> Iterator[str]:
    if set(old.seeds) != set(new.seeds):
        what = f"{_listed(shared)} alone is compared" if shared else "all are compared, none shared"
        yield f"Seeds: A has {_listed(old.seeds)}, B {_listed(new.seeds)}; {what}."
    before, after = old.retriever.options, new.retriever.options
    differ = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
    if differ:
        told = ", ".join(f"{name} {before.get(name)} → {after.get(name)}" for name in differ)
        yield f"Options differ: {told}."
    if old.retriever.revision != new.retriever.revision:
        yield "The weights differ."


def _listed(seeds: Sequence[int] | set[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))
