"""What the decoder reads of the queries, laid out as its cross-attention asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from cart.engine.packing import Group


class Readable(Protocol):
    """The memories of a group's queries, as one decoder layer reads them."""

    def attend(self, query: Tensor) -> Tensor:
        """query [queries, places, width] -> [memories, queries, places, width]"""
        ...

    def some(self, queries: Tensor) -> Readable:
        """Of some of the group's queries, int64."""
        ...


@dataclass(frozen=True)
class Bare:
    """Without padding: one product with the keys of all memories, one with the values.

    On a processor they take a fifth of the time of fused attention, whose blocks are made for
    texts longer than queries are.

    keys    [queries, heads, head width, memories * length]
    values  [queries, heads, memories, length, head width]
    """

    keys: Tensor
    values: Tensor

    @staticmethod
    def of(keys: Tensor, values: Tensor, heads: int) -> Bare:
        """keys, values [queries, length, memories, width]"""
        split = (heads, -1)
        return Bare(
            keys.unflatten(-1, split).permute(0, 3, 4, 2, 1).flatten(3).contiguous(),
            values.unflatten(-1, split).permute(0, 3, 2, 1, 4).contiguous(),
        )

    def attend(self, query: Tensor) -> Tensor:
        _, heads, memories, length, head_width = self.values.shape
        asked = query.unflatten(-1, (heads, -1)).transpose(1, 2)
        scores = (asked @ self.keys).mul_(head_width**-0.5)
        weights = scores.unflatten(-1, (memories, length)).softmax(dim=-1)
        attended = weights.transpose(2, 3) @ self.values
        return attended.permute(2, 0, 3, 1, 4).flatten(3)

    def some(self, queries: Tensor) -> Bare:
        return Bare(self.keys[queries], self.values[queries])


@dataclass(frozen=True)
class Masked:
    """With padding that a mask hides, for fused attention.

    keys, values  [queries, memories * heads, length, head width]
    mask          bool [queries, 1, 1, length]
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    heads: int

    @staticmethod
    def of(keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> Masked:
        """keys, values [queries, length, memories, width]"""
        return Masked(_split(keys, heads), _split(values, heads), mask, heads)

    def attend(self, query: Tensor) -> Tensor:
        memories = self.keys.shape[1] // self.heads
        asked = query.unsqueeze(2).expand(-1, -1, memories, -1)
        attended = F.scaled_dot_product_attention(
            _split(asked, self.heads), self.keys, self.values, attn_mask=self.mask
        )
        return attended.unflatten(1, (memories, -1)).permute(1, 0, 3, 2, 4).flatten(3)

    def some(self, queries: Tensor) -> Masked:
        return Masked(self.keys[queries], self.values[queries], self.mask[queries], self.heads)


@dataclass(frozen=True)
class Memories:
    """What the decoder attends to.

    layers   decoder layer -> of each group
    spans    which queries are whose, one group behind the other
    queries  how many
    """

    layers: tuple[tuple[Readable, ...], ...]
    spans: tuple[slice, ...]
    queries: int

    def some(self, queries: Tensor) -> Memories:
        """Of the queries int64 [n], which ascend. What is read of them is copied."""
        stops = torch.tensor([span.stop for span in self.spans], device=queries.device)
        ends = torch.searchsorted(queries, stops).tolist()
        spans = tuple(map(slice, [0, *ends], ends))
        held = [index for index, span in enumerate(spans) if span.start < span.stop]
        layers = tuple(
            tuple(layer[i].some(queries[spans[i]] - self.spans[i].start) for i in held)
            for layer in self.layers
        )
        return Memories(layers, tuple(spans[i] for i in held), len(queries))


def readable(group: Group, keys: Tensor, values: Tensor, heads: int) -> Readable:
    """A group's keys and values [tokens, memories, width] of one decoder layer, ready."""
    keys, values = group.of(keys), group.of(values)
    if group.mask is None:
        return Bare.of(keys, values, heads)
    return Masked.of(keys, values, group.mask, heads)


def _split(x: Tensor, heads: int) -> Tensor:
    """[queries, length, memories, width] -> [queries, memories * heads, length, head width]"""
    return x.flatten(2).unflatten(-1, (x.shape[2] * heads, -1)).transpose(1, 2)
