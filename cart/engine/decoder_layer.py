"""A decoder layer over rows, each of them one prefix at its newest position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cart.config import CoarseGate
from cart.engine.dense import Dense, Norm, dense
from cart.engine.encoder import linear
from cart.engine.memories import Memories
from cart.engine.numbers import Numbers
from cart.engine.slots import Slots
from cart.model import DecoderLayer


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
        """Fusion and feed-forward: y [rows, width], context [memories, rows, width]."""
        if self.coarse is not None:
            y = y + self._gated(self.coarse(context[0]))
        for index, make in enumerate(self.fine):
            made, gate = make(context[index - len(self.fine)]).chunk(2, dim=-1)
            y = torch.addcmul(y, gate.add_(prepared[:, 1 + index]).sigmoid_(), made)
        return self.narrow(F.gelu(self.widen(self.norm_feed_forward(y)))).add_(y)

    def _gated(self, made: Tensor) -> Tensor:
        """Equation 3, or plain cross-attention where there is neither branch."""
        if self.coarse_gate == "off":
            return made
        gate = torch.sigmoid(made).div_(self.layers)
        return gate if self.coarse_gate == "sigmoid" else gate.mul_(made)

    def attend(self, query: Tensor, memories: Memories, index: int, slots: Slots) -> Tensor:
        """Cross-attention of this layer, number ``index``: query [rows, width] -> [memories,
        rows, width]."""
        if slots.fill is not None:
            query = query.index_select(0, slots.fill)
        query = query.unflatten(0, (slots.queries, slots.width))
        attended = []
        for span, readable in zip(memories.spans, memories.layers[index], strict=True):
            asked = query[span]
            asking = slots.asking(span)
            if asking is None:
                attended.append(readable.attend(asked))
                continue
            found = readable.some(asking).attend(asked[asking])
            attended.append(
                found.new_empty((len(found), *asked.shape)).index_copy_(1, asking, found)
            )
        context = (attended[0] if len(attended) == 1 else torch.cat(attended, dim=1)).flatten(1, 2)
        return context if slots.back is None else context.index_select(1, slots.back)
