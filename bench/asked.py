"""What a row was asked and what each query gave, so that rows can be paired query by query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.directions import ranks_of
from bench.metrics import METRIC_NAMES, per_query
from bench.store import ResultStore
from bench.summary import Row

FloatArray = npt.NDArray[np.float64]


class NothingAsked(Exception):
    """A row whose queries cannot be paired with another's; the message is a sentence."""


@dataclass(frozen=True)
class Asked:
    """The queries of one row, by id, with their figures averaged over its seeds.

    digest     of the data
    queries    [queries]
    items      [queries] the item of each, the unit of the statistics
    per_query  metric of METRIC_NAMES -> [queries] fractions of 1
    """

    digest: str
    queries: tuple[str, ...]
    items: tuple[str, ...]
    per_query: Mapping[str, FloatArray]

    @property
    def of(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """What two rows must share to be paired."""
        return (self.digest, self.queries, self.items)


def asked(row: Row, store: ResultStore, *, reverse: bool = False) -> Asked:
    """What ``row`` was asked: texts for their items or, in ``reverse``, items for their texts.

    Raises NothingAsked where the row has no figure, or where its seeds were asked differently.
    """
    if row.status != "done":
        raise NothingAsked(f"It is not finished: {row.reason}")
    if reverse and not row.reverse:
        raise NothingAsked("It does not rank texts for an item.")
    read = store.reverse if reverse else store.ranks
    frames = [read(cell.spec.key).sort_values("query", kind="stable") for cell in row.cells]
    queries, items = tuple(frames[0]["query"]), tuple(frames[0]["item"])
    if any(tuple(frame["query"]) != queries for frame in frames):
        raise NothingAsked("Its seeds were not asked the same queries.")
    per_seed = [per_query(ranks_of(frame)) for frame in frames]
    means = {name: np.mean([one[name] for one in per_seed], axis=0) for name in METRIC_NAMES}
    return Asked(row.cells[0].spec.dataset_digest, queries, items, means)
