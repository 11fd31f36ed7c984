"""Whether a measured difference goes the way of a published one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from bench.cells import Measure

Verdict = Literal["agrees", "contradicts", "not told apart", "no direction"]


def verdict(published: float, measured: Measure) -> Verdict:
    """A difference is told apart from none where its interval leaves out 0.

    published  a difference as printed, which comes without an interval
    """
    if published == 0:
        return "no direction"
    if measured.low <= 0 <= measured.high:
        return "not told apart"
    return "agrees" if (measured.value > 0) == (published > 0) else "contradicts"


def tally(verdicts: Iterable[Verdict]) -> str:
    """ "3 of 4 rows agree, 0 contradict, 1 not told apart at this size"."""
    count = Counter(verdicts)
    rows = sum(count.values()) - count["no direction"]
    if not rows:
        return "no row can be compared"
    told = f"{count['agrees']} of {rows} rows agree, {count['contradicts']} contradict"
    if count["not told apart"]:
        told += f", {count['not told apart']} not told apart at this size"
    return told
