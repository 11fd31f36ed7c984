"""A text transformer over the real tokens of a batch: nothing is padded, nothing computed in vain.

The tokens of all texts lie one behind the other, texts of one length together, so that attention
needs no mask and no padding; of the last layer only the tokens are computed whose state is read
out. The result is that of the whole network on padded texts, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cart.engine.dense import Dense, dense, held_bytes
from cart.engine.numbers import Numbers
from retrievers.serving.layouts import Layout, Packed, packed

Step = Callable[[Tensor], Tensor]
# (all tokens, those that are carried on, normalisation, all tokens -> an addition to the carried)
Residual = Callable[[Tensor, Tensor, Step, Step], Tensor]


class Affine(NamedTuple):
    """A linear layer's weight [outputs, inputs] and bias [outputs]."""

    weight: Tensor
    bias: Tensor


def affine(linear: nn.Linear) -> Affine:
    return Affine(linear.weight, linear.bias)


def below(*linears: nn.Linear) -> Affine:
    """As one layer, whose outputs are theirs one behind the other."""
    weights, biases = zip(*map(affine, linears), strict=True)
    return Affine(torch.cat(weights), torch.cat(biases))


@dataclass(frozen=True)
class LayerWeights:
    """One layer of attention and a feed-forward part, as a network holds it.

    query_key_value  [3 width, width], the three below each other
    """

    norm_of_attention: Step
    query_key_value: Affine
    mix: Affine
    norm_of_feed_forward: Step
    widen: Affine
    narrow: Affine

    @property
    def bytes(self) -> int:
        """Of the linear layers."""
        linears = (self.query_key_value, self.mix, self.widen, self.narrow)
        return sum(one.nbytes for linear in linears for one in linear)


@dataclass(frozen=True)
class Stack:
    """A text transformer taken apart.

    embed       (numbers [tokens], places [tokens] of each in its text) -> [tokens, width]
    causal      whether no token sees those behind it
    residual    ``norm_before`` or ``norm_after``
    activation  between ``widen`` and ``narrow``
    read        where in a text the token stands whose last state is the text's
    head        [texts, width] -> [texts, dim]
    """

    embed: Callable[[Tensor, Tensor], Tensor]
    layers: Sequence[LayerWeights]
    heads: int
    causal: bool
    residual: Residual
    activation: Step
    read: Callable[[Packed], Tensor]
    head: Step


def norm_before(tokens: Tensor, carried: Tensor, norm: Step, step: Step) -> Tensor:
    return carried + step(norm(tokens))


def norm_after(tokens: Tensor, carried: Tensor, norm: Step, step: Step) -> Tensor:
    return norm(carried + step(tokens))


@dataclass(frozen=True)
class _Layer:
    """``LayerWeights`` made ready, but for queries, keys and values."""

    norm_of_attention: Step
    mix: Dense
    norm_of_feed_forward: Step
    widen: Dense
    narrow: Dense


class PackedEncoder:
    """Runs a stack, whose linear layers compute in ``numbers``."""

    def __init__(self, stack: Stack, numbers: Numbers, device: torch.device) -> None:
        *inner, last = stack.layers
        make = partial(_made, numbers=numbers)
        # Other numbers are copies: the weights that they were made of may go.
        self._stack = replace(stack, layers=())
        self._device = device
        self._layers = [_layer(layer, make) for layer in stack.layers]
        self._query_key_value = [make(layer.query_key_value) for layer in inner]
        weight, bias = last.query_key_value
        width = len(bias) // 3
        self._last_query = make(Affine(weight[:width], bias[:width]))
        self._last_key_value = make(Affine(weight[width:], bias[width:]))

    @property
    def bytes(self) -> int:
        """Of the linear layers; embeddings, normalisations and the head are the network's."""
        ends = [self._last_query, self._last_key_value]
        layers = [(one.mix, one.widen, one.narrow) for one in self._layers]
        return held_bytes([*ends, *self._query_key_value, *layers])

    def encode(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """[texts, dim] of token rows int64 [texts, longest] of these lengths, on the host."""
        batch = packed(rows, lengths, self._device)
        tokens = self._stack.embed(batch.numbers, batch.places)
        for layer, project in zip(self._layers, self._query_key_value, strict=False):
            tokens = self._through(layer, tokens, tokens, self._among_all(project, batch.layout))
        ends = self._stack.read(batch)
        of_ends = self._of_ends(batch.layout, ends)
        states = self._through(self._layers[-1], tokens, tokens[ends], of_ends)
        return self._stack.head(states)[batch.back]

    def _through(self, layer: _Layer, tokens: Tensor, carried: Tensor, attention: Step) -> Tensor:
        residual = self._stack.residual

        def mixed(normed: Tensor) -> Tensor:
            return layer.mix(attention(normed))

        def fed_forward(normed: Tensor) -> Tensor:
            return layer.narrow(self._stack.activation(layer.widen(normed)))

        seen = residual(tokens, carried, layer.norm_of_attention, mixed)
        return residual(seen, seen, layer.norm_of_feed_forward, fed_forward)

    def _among_all(self, project: Dense, layout: Layout) -> Step:
        """[tokens, width] -> what each token gathers from its text, [tokens, width]."""
        causal = self._stack.causal

        def attention(tokens: Tensor) -> Tensor:
            projected = project(tokens).unflatten(1, (3, self._stack.heads, -1))
            gathered = []
            for group, seen in zip(layout.split(projected), layout.seen, strict=True):
                query, key, value = group.permute(2, 0, 3, 1, 4)
                # Padding stands behind a text, where none of its tokens looks in a causal one.
                one = functional.scaled_dot_product_attention(
                    query, key, value, None if causal else seen, is_causal=causal
                )
                gathered.append(one.transpose(1, 2).flatten(2))
            return layout.joined(gathered)

        return attention

    def _of_ends(self, layout: Layout, ends: Tensor) -> Step:
        """[tokens, width] -> what the tokens in rows ``ends`` gather, [texts, width].

        Such a token sees the whole of its text: it is the last, or nothing is hidden.
        """
        heads = self._stack.heads

        def attention(tokens: Tensor) -> Tensor:
            queries = self._last_query(tokens[ends]).unflatten(1, (heads, 1, -1))
            projected = self._last_key_value(tokens).unflatten(1, (2, heads, -1))
            gathered, text = [], 0
            for group, seen in zip(layout.split(projected), layout.seen, strict=True):
                key, value = group.permute(2, 0, 3, 1, 4)
                query = queries[text : text + len(group)]
                one = functional.scaled_dot_product_attention(query, key, value, seen)
                gathered.append(one.flatten(1))
                text += len(group)
            return torch.cat(gathered)

        return attention


def _made(layer: Affine, numbers: Numbers) -> Dense:
    return dense(layer.weight, layer.bias, numbers, layer.weight.dtype)


def _layer(layer: LayerWeights, make: Callable[[Affine], Dense]) -> _Layer:
    return _Layer(
        layer.norm_of_attention,
        make(layer.mix),
        layer.norm_of_feed_forward,
        make(layer.widen),
        make(layer.narrow),
    )
