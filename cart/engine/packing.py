"""Queries of a batch laid out so that nothing is computed for padding.

On a processor the tokens of all queries lie one behind the other, the queries in order of their
lengths: dense layers see real tokens only, and attention takes the queries of one length
together and needs no mask. On an accelerator, where shapes must not follow the data, a batch is
one padded group with a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Queries ``first`` .. ``first + count`` of one ``length``, whose tokens begin at ``row``.

    mask  bool [count, 1, 1, length], True at real tokens, or None where all are
    """

    first: int
    count: int
    length: int
    row: int
    mask: Tensor | None = None

    @property
    def queries(self) -> slice:
        return slice(self.first, self.first + self.count)

    def of(self, x: Tensor) -> Tensor:
        """The group's part of x [tokens, ...], [count, length, ...]."""
        part = x[self.row : self.row + self.count * self.length]
        return part.unflatten(0, (self.count, self.length))


@dataclass(frozen=True)
class Packed:
    """ids, positions  int64 [tokens]; queries: how many"""

    ids: Tensor
    positions: Tensor
    groups: tuple[Group, ...]
    queries: int


def by_length(tokens: Sequence[Sequence[int]], longest: int) -> IntArray:
    """Queries in order of their lengths.

    Raises ValueError for a query without tokens or with more than ``longest``.
    """
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    if not lengths.all():
        raise ValueError(f"query {int(lengths.argmin())} has no tokens: a text has one at least")
    if lengths.max(initial=0) > longest:
        query = int(lengths.argmax())
        raise ValueError(f"query {query} has {lengths[query]} tokens: cut it at {longest}")
    return np.argsort(lengths, kind="stable")


def packed(tokens: Sequence[Sequence[int]]) -> Packed:
    """Queries that are in order of their lengths, without padding."""
    groups = []
    first = row = 0
    for length, alike in groupby(map(len, tokens)):
        count = len(list(alike))
        groups.append(Group(first, count, length, row))
        first, row = first + count, row + count * length
    ids = np.fromiter((one for query in tokens for one in query), dtype=np.int64, count=row)
    positions = np.concatenate([np.arange(len(query)) for query in tokens])
    return Packed(torch.from_numpy(ids), torch.from_numpy(positions), tuple(groups), first)


def padded(ids: Tensor, mask: Tensor) -> Packed:
    """Queries ids int64 [queries, length] with mask bool [queries, length]; no shape follows what
    they hold."""
    queries, length = ids.shape
    positions = torch.arange(length, device=ids.device).expand(queries, -1)
    group = Group(0, queries, length, 0, mask[:, None, None, :])
    return Packed(ids.flatten(), positions.flatten(), (group,), queries)
