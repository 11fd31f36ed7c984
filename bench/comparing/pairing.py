"""Which row of one side is which row of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.summary import Row


@dataclass(frozen=True)
class Paired:
    """A row on both sides, or on one.

    before  None where the row is new; ``after`` is None where it is lost
    """

    before: Row | None
    after: Row | None

    @property
    def shown(self) -> Row:
        """The row that says what this is: the newer where there are two."""
        row = self.after or self.before
        assert row is not None
        return row


def paired(before: Sequence[Row], after: Sequence[Row]) -> list[Paired]:
    """Every row of both sides once, by dataset, protocol and retriever.

    Rows are one by dataset, protocol, the retriever's name and checkpoint, and whether it is
    untrained. What is left of a retriever on a dataset, one row a side, is paired across
    protocols, so that it can be said that the protocol is another.
    """
    first, second = ({_identity(row): row for row in rows} for rows in (before, after))
    found = [Paired(first[key], second[key]) for key in first.keys() & second.keys()]
    gone = _by_system([row for key, row in first.items() if key not in second])
    come = _by_system([row for key, row in second.items() if key not in first])
    for system in gone.keys() | come.keys():
        old, new = gone.get(system, []), come.get(system, [])
        if len(old) == len(new) == 1:
            found.append(Paired(old[0], new[0]))
        else:
            found += [Paired(row, None) for row in old] + [Paired(None, row) for row in new]
    return sorted(found, key=lambda pair: (_identity(pair.shown), pair.after is None))


def _by_system(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """The rows of each dataset and retriever, whatever the protocol."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        dataset, _, *retriever = _identity(row)
        found.setdefault((dataset, *retriever), []).append(row)
    return found


def _identity(row: Row) -> tuple[str, ...]:
    """Dataset, protocol, name, whether untrained, and the checkpoints by role."""
    named = (f"{role}={at}" for role, at in sorted(row.retriever.checkpoint.items()))
    return (row.dataset, row.protocol, row.name, *named)
