"""One level of a prefix tree as compressed rows, and what is put in and taken out there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cart.prefix_tree.children import ENDED, Children

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """Where identifiers, in ascending order, belong among the nodes of one level.

    at     int64 [identifiers], the node of the identifier, or the one that a new node goes before
    known  bool [identifiers], the node is there
    new    bool [identifiers], the first identifier of a node that is not there
    """

    at: IntArray
    known: BoolArray
    new: BoolArray

    @staticmethod
    def of_known(nodes: IntArray) -> Places:
        """Nodes [identifiers] that are all there."""
        there = np.ones(len(nodes), dtype=bool)
        return Places(nodes, there, ~there)

    @property
    def nodes(self) -> IntArray:
        """Numbers [identifiers] of the nodes once the new ones are in."""
        return self.at + np.cumsum(self.new) - ~self.known


@dataclass(frozen=True)
class Rows:
    """The nodes of a level, in ascending order of their parents and tokens.

    starts   int32 [parents + 1]; parent p's children are the nodes starts[p] .. starts[p + 1]
    tokens   int32 [nodes], the token that leads to the node
    widest   the largest number of children
    counted  every parent's tokens are known to be 0, 1, 2, ... without a gap
    """

    starts: Tensor
    tokens: Tensor
    widest: int
    counted: bool

    @staticmethod
    def of(counts: IntArray, tokens: IntArray, device: str) -> Rows:
        """From the number of children of each parent and the tokens of all.

        Raises ValueError when ``ENDED`` is not the only child.
        """
        return _rows(counts, tokens, np.flatnonzero(counts), True, device)

    @property
    def tables(self) -> tuple[Tensor, ...]:
        return (self.starts, self.tokens)

    def counts(self, parents: Tensor) -> Tensor:
        """Children int64 [...] of parents [...]."""
        return (self.starts[parents + 1] - self.starts[parents]).long()

    def children(self, parents: Tensor) -> Children:
        """Children [..., widest] of parents [...]."""
        begin = self.starts[parents].long().unsqueeze(-1)
        end = self.starts[parents + 1].unsqueeze(-1)
        offset = torch.arange(self.widest, device=parents.device)
        nodes = begin + offset
        valid = nodes < end
        nodes.clamp_(max=self.tokens.numel() - 1)
        if self.counted:
            return Children(
                offset.expand(nodes.shape),
                nodes,
                valid,
                torch.zeros((), dtype=torch.bool, device=nodes.device).expand(nodes.shape),
                dense=True,
            )
        tokens = self.tokens[nodes].long()
        return Children(tokens.clamp_min(0), nodes, valid, tokens == ENDED, dense=False)

    def places(self, parents: Places, tokens: IntArray, differs: BoolArray) -> Places:
        """Places of the children ``tokens`` [identifiers] of parents.

        differs [identifiers] is False where the identifier before has the same parent and token.
        """
        starts, own = self.starts.cpu().numpy(), self.tokens.cpu().numpy()
        end = starts[parents.at + parents.known].astype(np.int64)
        at = _first_not_below(own, starts[parents.at].astype(np.int64), end, tokens)
        known = at < end
        known[known] = own[at[known]] == tokens[known]
        return Places(at, known, ~known & differs)

    def with_nodes(self, parents: Places, nodes: Places, tokens: IntArray) -> Rows:
        """Rows that hold the new of ``nodes`` too, with tokens [identifiers]."""
        counts = np.diff(self.starts.cpu().numpy())
        if parents.new.any():
            counts = np.insert(counts, parents.at[parents.new], 0)
        grown = parents.nodes[nodes.new]
        np.add.at(counts, grown, 1)
        own = np.insert(self.tokens.cpu().numpy(), nodes.at[nodes.new], tokens[nodes.new])
        return _rows(counts, own, grown, self.counted, str(self.starts.device))

    def without_nodes(self, nodes: IntArray) -> tuple[Rows, IntArray]:
        """Rows less some nodes; also the parents, in ascending order, that have none left."""
        starts = self.starts.cpu().numpy()
        parents = np.searchsorted(starts, nodes, side="right") - 1
        counts = np.diff(starts)
        np.subtract.at(counts, parents, 1)
        left = np.delete(self.tokens.cpu().numpy(), nodes)
        touched = np.unique(parents)
        emptied = counts[touched] == 0
        rows = _rows(counts, left, touched[~emptied], self.counted, str(self.starts.device))
        return rows, touched[emptied]

    def without_parents(self, parents: IntArray) -> Rows:
        """Rows less some parents that have no children."""
        starts = np.delete(self.starts.cpu().numpy(), parents)
        return replace(self, starts=torch.from_numpy(starts).to(self.starts.device))


def _rows(
    counts: npt.NDArray[np.integer],
    tokens: npt.NDArray[np.integer],
    parents: IntArray,
    counted: bool,
    device: str,
) -> Rows:
    """Rows of which only ``parents``, which have children, need looking at.

    ``counted`` tells of the others whether all of their tokens count without a gap.
    """
    starts = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts.astype(np.int32, copy=False), out=starts[1:])
    children = counts[parents]
    if (tokens[starts[parents]][children > 1] == ENDED).any():
        raise ValueError("an identifier is the beginning of another")
    # Tokens of a parent differ, so that none is left out below their number.
    counted = counted and bool((tokens[starts[parents + 1] - 1] == children - 1).all())
    return Rows(
        torch.from_numpy(starts).to(device),
        torch.from_numpy(tokens.astype(np.int32, copy=False)).to(device),
        int(counts.max()),
        counted,
    )


def _first_not_below(
    values: npt.NDArray[np.int32], begin: IntArray, end: IntArray, wanted: IntArray
) -> IntArray:
    """Binary search for each of ``wanted`` in its own ascending stretch begin .. end of values."""
    low, high = begin, end
    while (unsure := low < high).any():
        middle = (low + high) // 2
        below = np.zeros_like(unsure)
        below[unsure] = values[middle[unsure]] < wanted[unsure]
        low = np.where(below, middle + 1, low)
        high = np.where(unsure & ~below, middle, high)
    return low
