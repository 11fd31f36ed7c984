"""The decoder of a CART, one position of many prefixes at a time.

A row is one prefix. Rows of all queries are computed together; which query a row belongs to
matters only where it attends to that query's memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import CoarseGate
from cart.engine.dense import Dense, Lookup, Norm, dense, lookup
from cart.engine.encoder import Memories, linear
from cart.engine.numbers import Numbers
from cart.engine.packing import Group
from cart.model import CartModel, DecoderLayer


@dataclass(frozen=True)
class Slots:
    """Which query each row belongs to: rows stand in an array of ``width`` places a query.

    fill    int64 [queries * width], the row at each place, any one where there is none
    back    int64 [rows], the place of each row
    absent  bool [queries], those without a row
    These are None where every place has its row.
    """

    queries: int
    width: int
    fill: Tensor | None = None
    back: Tensor | None = None
    absent: Tensor | None = None

    @staticmethod
    def some(chosen: Tensor) -> Slots:
        """A row for each prefix that is ``chosen`` bool [queries, beams], moved up to the first
        places of its query. Shapes follow the data."""
        counts = chosen.sum(dim=1)
        queries, width = len(chosen), int(counts.max())
        query, beam = chosen.nonzero().unbind(dim=1)
        back = query * width + chosen.cumsum(dim=1)[query, beam] - 1
        fill = torch.zeros(queries * width, dtype=torch.int64, device=back.device)
        fill[back] = torch.arange(len(back), device=back.device)
        return Slots(queries, width, fill, back, counts == 0)

    @property
    def rows(self) -> int:
        return self.queries * self.width if self.back is None else len(self.back)

    def row(self, places: Tensor) -> Tensor:
        """The row at some places of each query, int64 [queries, ...] of below ``width``."""
        first = torch.arange(self.queries, device=places.device).unsqueeze(1) * self.width
        return places + first if self.fill is None else self.fill[places + first]

    def spread(self, x: Tensor, empty: float) -> Tensor:
        """x [rows, ...] at its places [queries, width, ...], ``empty`` where there is no row."""
        if self.back is not None:
            full = x.new_full((self.queries * self.width, *x.shape[1:]), empty)
            x = full.index_copy_(0, self.back, x)
        return x.unflatten(0, (self.queries, self.width))

    def asking(self, group: Group) -> Tensor | None:
        """Queries of a group that have rows, int64 counted from its first; None is all of it,
        since to leave out a few is not worth a copy of what the others attend to."""
        if self.absent is None:
            return None
        absent = self.absent[group.queries]
        few = 2 * int(absent.sum()) > group.count
        return (~absent).nonzero().squeeze(1) if few else None


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
class Attention:
    """Self-attention of one position to itself and those before it."""

    heads: int
    output: Dense

    def __call__(self, query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
        """query [rows, width], keys and values of each position [rows or 1, width]."""
        split = (self.heads, -1)
        query = query.unflatten(-1, split)
        scores = torch.stack([(query * key.unflatten(-1, split)).sum(dim=-1) for key in keys])
        weights = (scores * query.shape[-1] ** -0.5).softmax(dim=0).unsqueeze(-1)
        attended = weights[0] * values[0].unflatten(-1, split)
        for weight, value in zip(weights[1:], values[1:], strict=True):
            attended.addcmul_(weight, value.unflatten(-1, split))
        return self.output(attended.flatten(1))


@dataclass(frozen=True)
class Layer:
    """One of the decoder's, as ``cart.model.DecoderLayer`` without dropout.

    project  on the same input: the fusion's query and, with fine fusion, the input's part of the
             weights of equation 4, one behind the other
    coarse   the fusion's output projection, for the memory Z or the only one
    fine     memory E_i -> the same and, behind it, that times the context's part of its weights
    layers   S, the encoder's
    """

    heads: int
    layers: int
    norm_attention: Norm
    query_key_value: Dense
    attention: Attention
    norm_fusion: Norm
    project: Dense
    coarse_gate: CoarseGate
    coarse: Dense | None
    fine: tuple[Dense, ...]
    norm_feed_forward: Norm
    widen: Dense
    narrow: Dense

    @staticmethod
    def of(layer: DecoderLayer, numbers: Numbers, dtype: torch.dtype) -> Layer:
        fusion = layer.fusion
        weight: Tensor = fusion.query.weight
        bias: Tensor = fusion.query.bias
        output, output_bias = fusion.output.weight, fusion.output.bias
        fine = []
        if fusion.fine:
            weight = torch.cat([weight, fusion.weight_of_input.weight])
            bias = torch.cat([bias, fusion.weight_of_input.bias])
            for of_context in fusion.weight_of_context:
                both = torch.cat([output, of_context.T @ output])
                both_bias = torch.cat([output_bias, output_bias @ of_context])
                fine.append(dense(both, both_bias, numbers, dtype))
        coarse = fusion.coarse_gate != "off" or not fusion.fine
        return Layer(
            fusion.heads,
            fusion.layers,
            Norm.of(layer.norm_attention, dtype),
            linear(layer.attention.query_key_value, numbers, dtype),
            Attention(layer.attention.heads, linear(layer.attention.output, numbers, dtype)),
            Norm.of(layer.norm_fusion, dtype),
            dense(weight, bias, numbers, dtype),
            fusion.coarse_gate,
            dense(output, output_bias, numbers, dtype) if coarse else None,
            tuple(fine),
            Norm.of(layer.norm_feed_forward, dtype),
            linear(layer.feed_forward[0], numbers, dtype),
            linear(layer.feed_forward[3], numbers, dtype),
        )

    def prepare(self, y: Tensor) -> Tensor:
        """What fusion needs of y [rows, width]: the query, and behind it the input's part of the
        weights of each fine memory [rows, 1 + fine, width]."""
        return self.project(self.norm_fusion(y)).unflatten(-1, (-1, y.shape[-1]))

    def read(self, y: Tensor, prepared: Tensor, context: Tensor) -> Tensor:
        """Fusion and feed-forward: y [rows, width], context [rows, memories, width]."""
        if self.coarse is not None:
            y = y + self._gated(self.coarse(context[:, 0]))
        for index, make in enumerate(self.fine):
            made, gate = make(context[:, index - len(self.fine)]).chunk(2, dim=-1)
            y = torch.addcmul(y, gate.add_(prepared[:, 1 + index]).sigmoid_(), made)
        return self.narrow(F.gelu(self.widen(self.norm_feed_forward(y)))).add_(y)

    def _gated(self, made: Tensor) -> Tensor:
        """Equation 3, or plain cross-attention where there is neither branch."""
        if self.coarse_gate == "off":
            return made
        gate = torch.sigmoid(made).div_(self.layers)
        return gate if self.coarse_gate == "sigmoid" else gate.mul_(made)

    def attend(self, query: Tensor, memories: Memories, index: int, slots: Slots) -> Tensor:
        """Cross-attention of this layer, number ``index``: query [rows, width] -> [rows,
        memories, width]."""
        if slots.fill is not None:
            query = query.index_select(0, slots.fill)
        query = query.unflatten(0, (slots.queries, slots.width))
        attended = []
        for group in memories.groups:
            asked = query[group.queries]
            keys, values = (group.of(each[index]) for each in (memories.keys, memories.values))
            asking = slots.asking(group)
            if asking is None:
                attended.append(self._attend(asked, keys, values, group.mask))
                continue
            some = asked.new_empty((*asked.shape[:2], *keys.shape[2:]))
            if len(asking):
                some[asking] = self._attend(asked[asking], keys[asking], values[asking], None)
            attended.append(some)
        context = (attended[0] if len(attended) == 1 else torch.cat(attended)).flatten(0, 1)
        return context if slots.back is None else context.index_select(0, slots.back)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """query [queries, places, width], keys and values [queries, length, memories, width];
        gives [queries, places, memories, width]."""
        query = query.unsqueeze(2).expand(-1, -1, keys.shape[2], -1)
        attended = F.scaled_dot_product_attention(
            self._split(query), self._split(keys), self._split(values), attn_mask=mask
        )
        return attended.transpose(1, 2).reshape(query.shape)

    def _split(self, x: Tensor) -> Tensor:
        """[queries, length, memories, width] -> [queries, memories * heads, length, head width]"""
        return x.flatten(2).unflatten(-1, (x.shape[2] * self.heads, -1)).transpose(1, 2)


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
