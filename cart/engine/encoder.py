"""The encoder of a CART over packed queries, and what the decoder's layers read of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.engine.dense import Dense, Norm, dense
from cart.engine.memories import Memories, readable
from cart.engine.numbers import Numbers
from cart.engine.packing import Group, Packed
from cart.model import CartModel, EncoderLayer


@dataclass(frozen=True)
class Layer:
    """One of the encoder's, as ``cart.model.EncoderLayer`` without dropout."""

    heads: int
    norm_attention: Norm
    query_key_value: Dense
    output: Dense
    norm_feed_forward: Norm
    widen: Dense
    narrow: Dense

    @staticmethod
    def of(layer: EncoderLayer, numbers: Numbers, dtype: torch.dtype) -> Layer:
        return Layer(
            layer.attention.heads,
            Norm.of(layer.norm_attention, dtype),
            linear(layer.attention.query_key_value, numbers, dtype),
            linear(layer.attention.output, numbers, dtype),
            Norm.of(layer.norm_feed_forward, dtype),
            linear(layer.feed_forward[0], numbers, dtype),
            linear(layer.feed_forward[3], numbers, dtype),
        )

    def __call__(self, x: Tensor, groups: tuple[Group, ...]) -> Tensor:
        """x [tokens, width]"""
        projected = self.query_key_value(self.norm_attention(x))
        attended = [self._attend(group.of(projected), group.mask) for group in groups]
        x = self.output(torch.cat(attended)).add_(x)
        return self.narrow(F.gelu(self.widen(self.norm_feed_forward(x)))).add_(x)

    def _attend(self, projected: Tensor, mask: Tensor | None) -> Tensor:
        """Self-attention of one group, [queries, length, 3 width] -> [tokens, width]."""
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return attended.transpose(1, 2).flatten(2).flatten(0, 1)


@dataclass(frozen=True)
class Encoder:
    """tokens, positions: embeddings [vocabulary, width], [most tokens, width]

    norms         of each layer's output
    concatenated  makes the memory Z of equation 2, or None without coarse fusion
    fine          whether each layer's output is a memory of its own
    keys, values  of each decoder layer, which attends with ``heads`` heads
    """

    tokens: Tensor
    positions: Tensor
    layers: tuple[Layer, ...]
    norms: tuple[Norm, ...]
    concatenated: Dense | None
    fine: bool
    keys: tuple[Dense, ...]
    values: tuple[Dense, ...]
    heads: int

    @staticmethod
    def of(model: CartModel, numbers: Numbers, dtype: torch.dtype) -> Encoder:
        memory = model.memory
        keys: list[Dense] = []
        values: list[Dense] = []
        for layer in model.decoder_layers():
            both = layer.fusion.key_value
            for made, weight, bias in zip(
                (keys, values), both.weight.chunk(2), both.bias.chunk(2), strict=True
            ):
                made.append(dense(weight, bias, numbers, dtype))
        whole = memory.concatenated
        return Encoder(
            model.tokens.weight.to(dtype),
            model.positions.weight.to(dtype),
            tuple(Layer.of(layer, numbers, dtype) for layer in encoder_layers(model)),
            tuple(Norm.of(norm, dtype) for norm in memory.norms if isinstance(norm, nn.LayerNorm)),
            None if whole is None else linear(whole, numbers, dtype),
            memory.fine,
            tuple(keys),
            tuple(values),
            model.config.heads,
        )

    def __call__(self, batch: Packed) -> Memories:
        x = self.tokens.index_select(0, batch.ids)
        x += self.positions.index_select(0, batch.positions)
        outputs = []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = layer(x, batch.groups)
            outputs.append(norm(x))
        memory = self._memory(outputs)
        flat = memory.flatten(0, 1)
        layers = []
        for key, value in zip(self.keys, self.values, strict=True):
            keys, values = (each(flat).view(memory.shape) for each in (key, value))
            layers.append(tuple(readable(one, keys, values, self.heads) for one in batch.groups))
        spans = tuple(group.queries for group in batch.groups)
        return Memories(tuple(layers), spans, batch.queries)

    def _memory(self, outputs: list[Tensor]) -> Tensor:
        """[tokens, memories, width] of the layers' outputs, each [tokens, width]."""
        together = torch.stack(outputs, dim=1)
        if self.concatenated is None:
            return together if self.fine else together[:, -1:].contiguous()
        coarse = self.concatenated(together.flatten(1)).unsqueeze(1)
        return torch.cat([coarse, together], dim=1) if self.fine else coarse


def linear(module: nn.Module, numbers: Numbers, dtype: torch.dtype) -> Dense:
    """A linear layer, ready."""
    assert isinstance(module, nn.Linear)
    return dense(module.weight, module.bias, numbers, dtype)


def encoder_layers(model: CartModel) -> Iterator[EncoderLayer]:
    for layer in model.encoder:
        assert isinstance(layer, EncoderLayer)
        yield layer
