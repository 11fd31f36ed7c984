"""The prefix tree of all identifiers, in flat tensors (section 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]

# Stands behind the last token of an identifier that is shorter than the others.
ENDED = -1


@dataclass(frozen=True)
class Children:
    """The children of some nodes, padded to the widest node of their level.

    tokens, nodes  int64 [..., widest]; arbitrary where ``valid`` is False
    valid          bool [..., widest]
    ended          bool [..., widest]: the identifier ended before, and this child, the only one,
                   has no token
    """

    tokens: Tensor
    nodes: Tensor
    valid: Tensor
    ended: Tensor


@dataclass(frozen=True)
class PrefixTree:
    """Compressed rows, one table a level; the root is node 0 above level 0.

    tokens  level -> int32 [nodes of the level], the token that leads to the node
    starts  level -> int32 [nodes of the level above + 1]; node p's children are the nodes
            starts[p] .. starts[p + 1] of the level
    widest  level -> the largest number of children
    items   int64 [leaves], the row of the item at each leaf
    """

    tokens: tuple[Tensor, ...]
    starts: tuple[Tensor, ...]
    widest: tuple[int, ...]
    items: Tensor

    @staticmethod
    def build(identifiers: IntArray, device: str = "cpu") -> PrefixTree:
        """Build from identifiers [items, length], each different from the others.

        Shorter ones are filled up with ``ENDED``.
        Raises ValueError when two items share an identifier, when one is the beginning of
        another or when there is no item.
        """
        if identifiers.ndim != 2 or not len(identifiers):
            raise ValueError(f"identifiers of shape {identifiers.shape}: nothing to build from")
        order = np.lexsort(identifiers.T[::-1])
        rows = identifiers[order]
        differs = np.ones((len(rows), rows.shape[1]), dtype=bool)
        differs[1:] = np.logical_or.accumulate(rows[1:] != rows[:-1], axis=1)
        if not differs[:, -1].all():
            raise ValueError("two items share an identifier")
        tokens, starts, widest = [], [], []
        parent = np.zeros(len(rows), dtype=np.int64)
        parents = 1
        for level in range(rows.shape[1]):
            first = np.flatnonzero(differs[:, level])
            counts = np.bincount(parent[first], minlength=parents)
            if (counts[parent[first[rows[first, level] == ENDED]]] > 1).any():
                raise ValueError("an identifier is the beginning of another")
            tokens.append(torch.from_numpy(rows[first, level].astype(np.int32)).to(device))
            bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
            starts.append(torch.from_numpy(bounds).to(device))
            widest.append(int(counts.max()))
            parent = np.cumsum(differs[:, level]) - 1
            parents = len(first)
        return PrefixTree(
            tuple(tokens), tuple(starts), tuple(widest), torch.from_numpy(order).to(device)
        )

    @property
    def length(self) -> int:
        """Tokens in an identifier."""
        return len(self.tokens)

    @property
    def bytes(self) -> int:
        """Bytes of all tables."""
        tables = (*self.tokens, *self.starts, self.items)
        return sum(table.numel() * table.element_size() for table in tables)

    def children(self, level: int, nodes: Tensor) -> Children:
        """Children at ``level`` of ``nodes`` [...] of the level above (0 is the root)."""
        starts = self.starts[level]
        begin = starts[nodes].long()
        count = starts[nodes + 1].long() - begin
        offset = torch.arange(self.widest[level], device=nodes.device)
        valid = offset < count.unsqueeze(-1)
        child = (begin.unsqueeze(-1) + offset).clamp_max(self.tokens[level].numel() - 1)
        tokens = self.tokens[level][child].long()
        return Children(tokens.clamp_min(0), child, valid, tokens == ENDED)
