"""The levels of a prefix tree as compressed rows: for identifiers of any kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from cart.prefix_tree.children import Children
from cart.prefix_tree.rows import BoolArray, IntArray, Places, Rows


@dataclass(frozen=True)
class Compressed:
    """One ``Rows`` a level; the nodes of a level are the parents of the next."""

    rows: tuple[Rows, ...]

    @staticmethod
    def build(identifiers: IntArray, differs: BoolArray, device: str) -> Compressed:
        """From ascending identifiers [items, length]; ``differs`` as ``differing`` gives it.

        Raises ValueError when an identifier is the beginning of another.
        """
        levels = []
        parent = np.zeros(len(identifiers), dtype=np.int32)
        parents = 1
        for column, new in zip(identifiers.T, differs, strict=True):
            first = np.flatnonzero(new)
            counts = np.bincount(parent[first], minlength=parents)
            levels.append(Rows.of(counts, column[first], device))
            parent = np.cumsum(new, dtype=np.int32) - 1
            parents = len(first)
        return Compressed(tuple(levels))

    @property
    def length(self) -> int:
        return len(self.rows)

    @property
    def widest(self) -> tuple[int, ...]:
        return tuple(rows.widest for rows in self.rows)

    @property
    def tables(self) -> tuple[Tensor, ...]:
        return tuple(table for rows in self.rows for table in rows.tables)

    def children(self, level: int, nodes: Tensor) -> Children:
        return self.rows[level].children(nodes)

    def items_below(self, nodes: Tensor) -> Tensor:
        return self.rows[-1].counts(nodes)

    def holds(self, identifiers: IntArray) -> bool:
        """Any identifiers find a place."""
        return True

    def identifiers(self) -> IntArray:
        found = np.zeros((1, 0), dtype=np.int64)
        for rows in self.rows:
            counts = np.diff(rows.starts.cpu().numpy())
            tokens = rows.tokens.cpu().numpy()
            found = np.column_stack([np.repeat(found, counts, axis=0), tokens])
        return found

    def with_identifiers(
        self, identifiers: IntArray, differs: BoolArray
    ) -> tuple[Compressed, Places]:
        levels = []
        parents = Places.of_known(np.zeros(len(identifiers), dtype=np.int64))
        for rows, tokens, new in zip(self.rows, identifiers.T, differs, strict=True):
            nodes = rows.places(parents, tokens, new)
            levels.append(rows.with_nodes(parents, nodes, tokens))
            parents = nodes
        return Compressed(tuple(levels)), parents

    def without_leaves(self, leaves: IntArray) -> Compressed:
        levels: list[Rows] = []
        gone = leaves
        for rows in reversed(self.rows):
            left, emptied = rows.without_nodes(gone)
            levels.append(left.without_parents(emptied))
            gone = emptied
        return Compressed(tuple(reversed(levels)))
