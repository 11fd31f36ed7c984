"""The decoder of a CART, one position of many prefixes at a time.

A row is one prefix. Rows of all queries are computed together; which query a row belongs to
matters only where it attends to that query's memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cart.engine.decoder_layer import Layer
from cart.engine.dense import Dense, Lookup, Norm, lookup
from cart.engine.encoder import linear
from cart.engine.memories import Memories
from cart.engine.numbers import Numbers
from cart.engine.slots import Slots
from cart.model import CartModel


@dataclass(frozen=True)
class Written:
    """What later positions attend to of one: layer behind the first -> [rows, 2 width], keys
    beside values. The first layer's are looked up by the token."""

    both: tuple[Tensor, ...]


@dataclass(frozen=True)
class Past:
    """An earlier position of some rows: what was written there, and the rows' places in it."""

    written: Written
    rows: Tensor


@dataclass(frozen=True)
class Opening:
    """The first layer as far as its question to the memories, where it has seen tokens only.

    At the first two positions one token at most decides, and all is looked up; behind them it is
    the queries, keys and values of self-attention that see one token each.

    layer    the first
    begin    y and what is prepared of it at the first position [1, width], [1, 1 + fine, width]
    key, value  of the first position [1, width]
    second   the first token -> y of the second position beside what is prepared of it
    both     position behind the first -> its token -> keys beside values
    query    position behind the second -> its token -> embedding beside query
    """

    layer: Layer
    begin: tuple[Tensor, Tensor]
    key: Tensor
    value: Tensor
    second: tuple[Lookup, ...]
    both: tuple[Lookup, ...]
    query: tuple[Lookup, ...]

    @staticmethod
    def of(model: CartModel, layer: Layer, dtype: torch.dtype) -> Opening:
        width = model.config.width
        codes = [table.weight.to(dtype) for table in model.codes if isinstance(table, nn.Embedding)]
        start = model.begin.to(dtype).unsqueeze(0)

        def projected(x: Tensor) -> Tensor:
            return layer.query_key_value(layer.norm_attention(x))

        query, key, value = projected(start).chunk(3, dim=-1)
        begin = start + layer.attention(query, [key], [value])

        def second(x: Tensor) -> Tensor:
            query, own_key, own_value = projected(x).chunk(3, dim=-1)
            y = x + layer.attention(query, [key, own_key], [value, own_value])
            return torch.cat([y, layer.prepare(y).flatten(1)], dim=-1)

        def both(x: Tensor) -> Tensor:
            return projected(x)[:, width:].contiguous()

        def query_of(x: Tensor) -> Tensor:
            return torch.cat([x, projected(x)[:, :width]], dim=-1)

        return Opening(
            layer,
            (begin, layer.prepare(begin)),
            key.contiguous(),
            value.contiguous(),
            tuple(lookup(table, second) for table in codes[:1]),
            tuple(lookup(table, both) for table in codes),
            tuple(lookup(table, query_of) for table in codes[1:]),
        )

    def __call__(self, rows: int, tokens: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """y [rows, width] behind self-attention, and what is prepared of it, after the tokens
        int64 [rows] of each position so far."""
        width = self.key.shape[-1]
        if not tokens:
            y, prepared = self.begin
            return y.expand(rows, -1), prepared.expand(rows, -1, -1)
        if len(tokens) == 1:
            looked = self.second[0](tokens[0]).unflatten(-1, (-1, width))
            return looked[:, 0], looked[:, 1:]
        x, query = self.query[len(tokens) - 2](tokens[-1]).chunk(2, dim=-1)
        finds = self.both[: len(tokens)]
        both = [find(token).chunk(2, dim=-1) for find, token in zip(finds, tokens, strict=True)]
        keys, values = zip((self.key, self.value), *both, strict=True)
        y = self.layer.attention(query, keys, values).add_(x)
        return y, self.layer.prepare(y)


@dataclass(frozen=True)
class Decoder:
    """layers: those behind the first, which ``opening`` holds; heads: of each position, in fp32"""

    opening: Opening
    layers: tuple[Layer, ...]
    norm: Norm
    heads: tuple[Dense, ...]

    @staticmethod
    def of(model: CartModel, numbers: Numbers, dtype: torch.dtype) -> Decoder:
        first, *others = (Layer.of(layer, numbers, dtype) for layer in model.decoder_layers())
        return Decoder(
            Opening.of(model, first, dtype),
            tuple(others),
            Norm.of(model.norm, torch.float32),
            tuple(linear(head, "fp32", torch.float32) for head in model.heads),
        )

    def step(
        self, memories: Memories, slots: Slots, tokens: Sequence[Tensor], past: Sequence[Past]
    ) -> tuple[Tensor, Written]:
        """The next position of rows [rows] after their tokens so far, int64 [rows] a position,
        and their past: the last layer's y [rows, width], and what was written for those to come."""
        y, prepared = self.opening(slots.rows, tokens)
        first = self.opening.layer
        y = first.read(y, prepared, first.attend(prepared[:, 0], memories, 0, slots))
        written = []
        for index, layer in enumerate(self.layers):
            projected = layer.query_key_value(layer.norm_attention(y))
            query, own = projected[:, : y.shape[-1]], projected[:, y.shape[-1] :]
            seen = [one.written.both[index].index_select(0, one.rows) for one in past]
            keys, values = zip(*(both.chunk(2, dim=-1) for both in (*seen, own)), strict=True)
            y = layer.attention(query, keys, values).add_(y)
            prepared = layer.prepare(y)
            context = layer.attend(prepared[:, 0], memories, index + 1, slots)
            y = layer.read(y, prepared, context)
            written.append(own)
        return y, Written(tuple(written))

    def logits(self, level: int, y: Tensor) -> Tensor:
        """Of the tokens of ``level`` fp32 [rows, vocabulary], from y [rows, width]."""
        return self.heads[level](self.norm(y.float()))
