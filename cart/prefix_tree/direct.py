"""The levels of a prefix tree as tables addressed by the tokens themselves.

A node's number is its prefix read as a number, (k V_1 + v_1) V_2 + v_2, so that a step needs no
search and no gather of logits. Only the last position, whose tokens count the items of a prefix,
is kept as rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cart.prefix_tree.children import Children
from cart.prefix_tree.rows import BoolArray, IntArray, Places, Rows


@dataclass(frozen=True)
class Direct:
    """Tables over all prefixes of ``sizes`` (V_0, V_1, ...), whether an item has them or not.

    masks  position -> bool [prefixes before, V], which tokens may follow; not the last position
    rows   the last position, one row a prefix
    """

    sizes: tuple[int, ...]
    masks: tuple[Tensor, ...]
    rows: Rows

    @staticmethod
    def build(identifiers: IntArray, sizes: tuple[int, ...], device: str) -> Direct:
        """From identifiers [items, 1 + len(sizes)] in ascending order, none of them ended."""
        counts = np.bincount(_keys(identifiers, sizes), minlength=math.prod(sizes))
        return _with_masks(sizes, Rows.of(counts, identifiers[:, -1], device))

    @property
    def length(self) -> int:
        return len(self.sizes) + 1

    @property
    def widest(self) -> tuple[int, ...]:
        return (*self.sizes, self.rows.widest)

    @property
    def tables(self) -> tuple[Tensor, ...]:
        return (*self.masks, *self.rows.tables)

    def children(self, level: int, nodes: Tensor) -> Children:
        if level == len(self.sizes):
            return self.rows.children(nodes)
        valid = self.masks[level][nodes]
        tokens = torch.arange(self.sizes[level], device=nodes.device)
        return Children(
            tokens.expand(valid.shape),
            (nodes * self.sizes[level]).unsqueeze(-1) + tokens,
            valid,
            torch.zeros((), dtype=torch.bool, device=nodes.device).expand(valid.shape),
            dense=True,
        )

    def items_below(self, nodes: Tensor) -> Tensor:
        return self.rows.counts(nodes)

    def holds(self, identifiers: IntArray) -> bool:
        """Whether identifiers [items, length] have a place in tables of these sizes."""
        fits = identifiers[:, :-1] < np.array(self.sizes, dtype=np.int64)
        return bool((identifiers >= 0).all() and fits.all())

    def identifiers(self) -> IntArray:
        counts = np.diff(self.rows.starts.cpu().numpy())
        keys = np.repeat(np.arange(len(counts)), counts)
        found = np.empty((len(keys), self.length), dtype=np.int64)
        found[:, -1] = self.rows.tokens.cpu().numpy()
        for level in reversed(range(len(self.sizes))):
            keys, found[:, level] = np.divmod(keys, self.sizes[level])
        return found

    def with_identifiers(self, identifiers: IntArray, differs: BoolArray) -> tuple[Direct, Places]:
        parents = Places.of_known(_keys(identifiers, self.sizes))
        tokens = identifiers[:, -1]
        nodes = self.rows.places(parents, tokens, differs[-1])
        return _with_masks(self.sizes, self.rows.with_nodes(parents, nodes, tokens)), nodes

    def without_leaves(self, leaves: IntArray) -> Direct:
        rows, _ = self.rows.without_nodes(leaves)
        return _with_masks(self.sizes, rows)


def _keys(identifiers: IntArray, sizes: tuple[int, ...]) -> IntArray:
    """The number of each identifier's prefix [items]."""
    keys = np.zeros(len(identifiers), dtype=np.int64)
    for level, size in enumerate(sizes):
        keys *= size
        keys += identifiers[:, level]
    return keys


def _with_masks(sizes: tuple[int, ...], rows: Rows) -> Direct:
    masks = []
    for level, size in enumerate(sizes):
        # Keys of one prefix lie side by side: so many leaves are before it, so many behind.
        bounds = rows.starts[:: math.prod(sizes[level + 1 :])]
        masks.append((bounds[1:] > bounds[:-1]).view(-1, size))
    return Direct(sizes, tuple(masks), rows)
