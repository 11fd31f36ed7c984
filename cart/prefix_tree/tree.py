"""The prefix tree of all identifiers (section 3.5): which tokens may follow, and whose they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cart.prefix_tree.children import ENDED, Children
from cart.prefix_tree.compressed import Compressed
from cart.prefix_tree.direct import Direct
from cart.prefix_tree.ordering import ascending, differing
from cart.prefix_tree.rows import BoolArray, IntArray, Places

# Tables addressed by the tokens take 5 bytes a prefix, whether an item has it or not: here 60 an
# item at most. A step over them looks at a whole vocabulary.
PREFIXES_AN_ITEM = 12
MOST_PREFIXES = 2**25
WIDEST_DIRECT = 1024


class Levels(Protocol):
    """All levels of a tree, whatever their form.

    Nodes are numbered from 0 at each level; 0 above level 0 is the root, and those of the last
    level are the leaves, in ascending order of their identifiers.
    """

    @property
    def length(self) -> int: ...

    @property
    def widest(self) -> tuple[int, ...]: ...

    @property
    def tables(self) -> tuple[Tensor, ...]: ...

    def children(self, level: int, nodes: Tensor) -> Children: ...

    def items_below(self, nodes: Tensor) -> Tensor: ...

    def holds(self, identifiers: IntArray) -> bool:
        """Whether ``with_identifiers`` can take identifiers [n, length]."""
        ...

    def identifiers(self) -> IntArray:
        """Of each leaf [leaves, length]."""
        ...

    def with_identifiers(self, identifiers: IntArray, differs: BoolArray) -> tuple[Levels, Places]:
        """Levels that hold ascending identifiers too, and the places of their leaves."""
        ...

    def without_leaves(self, leaves: IntArray) -> Levels:
        """Levels less some leaves, ascending."""
        ...


@dataclass(frozen=True)
class PrefixTree:
    """Never changed: what puts items in or takes them out gives a new tree.

    levels  addressed by the tokens where that is small enough, compressed rows otherwise
    items   int32 [leaves], the row of the item at each leaf
    """

    levels: Levels
    items: Tensor

    @staticmethod
    def build(
        identifiers: IntArray, device: str = "cpu", sizes: Sequence[int] | None = None
    ) -> PrefixTree:
        """Build from identifiers [items, length], each different from the others.

        Shorter ones are filled up with ``ENDED``. ``sizes`` are the vocabularies of the
        positions (that of the last may be left out), by default what the identifiers use.
        Raises ValueError when two items share an identifier, when one is the beginning of
        another, when a token is outside its vocabulary or when there is no item.
        """
        if identifiers.ndim != 2 or not identifiers.size:
            raise ValueError(f"identifiers of shape {identifiers.shape}: nothing to build from")
        if len(identifiers) > np.iinfo(np.int32).max:
            raise ValueError(f"{len(identifiers)} items: a prefix tree holds less than 2^31")
        _refuse_negative(identifiers)
        prefix_sizes = _prefix_sizes(identifiers, sizes)
        order = ascending(identifiers)
        rows = identifiers.take(order, axis=0)
        differs = differing(rows)
        if not differs[-1].all():
            raise ValueError("two items share an identifier")
        levels: Levels
        if _suits_direct(identifiers, prefix_sizes):
            levels = Direct.build(rows, prefix_sizes, device)
        else:
            levels = Compressed.build(rows, differs, device)
        return PrefixTree(levels, torch.from_numpy(order.astype(np.int32)).to(device))

    @property
    def length(self) -> int:
        """Tokens in an identifier."""
        return self.levels.length

    @property
    def widest(self) -> tuple[int, ...]:
        """How many children ``children`` gives at each level."""
        return self.levels.widest

    @property
    def bytes(self) -> int:
        """Bytes of all tables."""
        tables = (*self.levels.tables, self.items)
        return sum(table.numel() * table.element_size() for table in tables)

    def children(self, level: int, nodes: Tensor) -> Children:
        """Children at ``level`` of ``nodes`` [...] of the level above (0 is the root)."""
        return self.levels.children(level, nodes)

    def items_below(self, nodes: Tensor) -> Tensor:
        """Number of items int64 [...] below ``nodes`` [...] of the level before the last."""
        return self.levels.items_below(nodes)

    def identifiers(self) -> IntArray:
        """Of each item [items, length], as they were built from."""
        leaves = self.levels.identifiers()
        found = np.empty_like(leaves)
        found[self.items.cpu().numpy()] = leaves
        return found

    def with_items(self, identifiers: IntArray) -> PrefixTree:
        """A tree that holds identifiers [n, length] too, as the rows behind those there.

        Raises ValueError as ``build`` does.
        """
        if identifiers.ndim != 2 or identifiers.shape[1] != self.length:
            raise ValueError(
                f"identifiers of shape {identifiers.shape}: this tree's have {self.length} tokens"
            )
        if not len(identifiers):
            return self
        if not self.levels.holds(identifiers):
            device = str(self.items.device)
            return PrefixTree.build(np.concatenate([self.identifiers(), identifiers]), device)
        _refuse_negative(identifiers)
        order = ascending(identifiers)
        rows = identifiers.take(order, axis=0)
        levels, leaves = self.levels.with_identifiers(rows, differing(rows))
        if not leaves.new.all():
            raise ValueError("two items share an identifier")
        items = np.insert(self.items.cpu().numpy(), leaves.at, len(self.items) + order)
        return PrefixTree(levels, torch.from_numpy(items).to(self.items.device))

    def without(self, rows: Sequence[int] | IntArray) -> PrefixTree:
        """A tree less the items ``rows``; those behind them move up.

        Raises ValueError when no item would be left, IndexError when there is no such row.
        """
        gone = np.zeros(len(self.items), dtype=bool)
        gone[np.asarray(rows, dtype=np.int64)] = True
        if gone.all():
            raise ValueError("all items taken out: a prefix tree has one at least")
        place = np.arange(len(gone), dtype=np.int32) - np.cumsum(gone, dtype=np.int32)
        place[gone] = -1
        moved = place.take(self.items.cpu().numpy())
        leaves = np.flatnonzero(moved < 0)
        moved = np.delete(moved, leaves)
        return PrefixTree(
            self.levels.without_leaves(leaves), torch.from_numpy(moved).to(self.items.device)
        )


def _refuse_negative(identifiers: IntArray) -> None:
    if identifiers.min() < ENDED:
        raise ValueError(f"token {identifiers.min()}: tokens count from 0")


def _prefix_sizes(identifiers: IntArray, sizes: Sequence[int] | None) -> tuple[int, ...]:
    """Vocabularies of the positions before the last."""
    used = tuple(int(highest) + 1 for highest in identifiers[:, :-1].max(axis=0))
    if sizes is None:
        return used
    given = tuple(sizes[: identifiers.shape[1] - 1])
    if len(given) < len(used) or any(size < least for size, least in zip(given, used, strict=True)):
        raise ValueError(f"tokens need vocabularies of {used}, which {tuple(sizes)} are not")
    return given


def _suits_direct(identifiers: IntArray, sizes: tuple[int, ...]) -> bool:
    return (
        math.prod(sizes) <= min(PREFIXES_AN_ITEM * len(identifiers), MOST_PREFIXES)
        and max(sizes, default=1) <= WIDEST_DIRECT
        and identifiers.min() >= 0
    )
