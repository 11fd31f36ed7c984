"""A gallery that an encoder has read: ids and vectors, kept so that it can change and be saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from datasets.base import Item
from retrievers.base import IntArray

# Vectors by row: an array, or several of one length.
V = TypeVar("V")


@dataclass(frozen=True)
class KeptGallery(Generic[V]):
    """``vectors`` has a row for each of ``ids``."""

    ids: tuple[str, ...]
    vectors: V

    def with_more(
        self,
        items: Sequence[Item],
        encode: Callable[[Sequence[Item]], V],
        join: Callable[[V, V], V],
    ) -> KeptGallery[V]:
        """With items behind those that are there. Raises ValueError when an id is there already."""
        ids = distinct_ids([*self.ids, *(item.id for item in items)])
        return KeptGallery(ids, join(self.vectors, encode(items)))

    def without(self, ids: Sequence[str], take: Callable[[V, IntArray], V]) -> KeptGallery[V]:
        """Without some items: the rows of those behind them move up.

        Raises ValueError when an id is not in the gallery.
        """
        gone = set(ids)
        absent = gone.difference(self.ids)
        if absent:
            raise ValueError(f"no item {sorted(absent)[0]!r} in the gallery")
        kept = np.array([row for row, one in enumerate(self.ids) if one not in gone], np.int64)
        return KeptGallery(tuple(self.ids[row] for row in kept), take(self.vectors, kept))

    def rows_of(self, items: Sequence[Item]) -> IntArray:
        """The row of each item [items], -1 where it is not in the gallery."""
        asked = {item.id for item in items}
        row_of = {one: row for row, one in enumerate(self.ids) if one in asked}
        return np.array([row_of.get(item.id, -1) for item in items], np.int64)


def distinct_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """The ids of a gallery. Raises ValueError when one occurs twice."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"the gallery would hold the item {one!r} twice")
        seen.add(one)
    return tuple(ids)
