"""Which results a table or a plot is made of, in a phrase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reports import provenance, units


class Repeatable(provenance.Stored, Protocol):
    """A stored result that tells the revision of its source."""

    @property
    def revision(self) -> str: ...


def origin(cells: Sequence[Repeatable]) -> str:
    """As "3 results of 21 November 2026, 09:45 UTC; git b884516"; "" without any."""
    if not cells:
        return ""
    moments = [cell.created for cell in cells]
    count = "1 result" if len(cells) == 1 else f"{len(cells)} results"
    revisions = ", ".join(dict.fromkeys(cell.revision or "not known" for cell in cells))
    return f"{count} of {units.span(min(moments), max(moments))}; git {revisions}"
