"""One tower of items made of a tower for each modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from datasets.base import Item, Modality
from retrievers.base import FloatArray
from retrievers.embedding_cache import Tower


class ByModality:
    """Has each item encoded by the tower of its modality; all towers end in one space.

    fingerprint  names them all
    """

    def __init__(self, towers: Mapping[Modality, Tower[Item]], fingerprint: str) -> None:
        self._towers = towers
        self.fingerprint = fingerprint

    def encode(self, items: Sequence[Item], /) -> FloatArray:
        """[items, dim], in their order. Raises MediaError."""
        rows: dict[Modality, list[int]] = {}
        for row, item in enumerate(items):
            rows.setdefault(item.modality, []).append(row)
        parts = [
            self._towers[modality].encode([items[row] for row in places])
            for modality, places in rows.items()
        ]
        order = np.argsort([row for places in rows.values() for row in places])
        vectors: FloatArray = np.concatenate(parts)[order]
        return vectors
