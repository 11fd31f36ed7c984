"""The text half of a dual tower at full size: its tokens, its network, and the same taken apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.serving.numbers import Computed
from retrievers.serving.packed import PackedEncoder, Stack

# Longer texts are cut, as all four systems cut them.
LONGEST = 77


@dataclass(frozen=True)
class TokenRows:
    """Texts as token numbers, on the host.

    numbers  int64 [texts, 77], padded
    lengths  int64 [texts], what is not padding
    """

    numbers: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class TextTower:
    """A system's tower of texts.

    model     as its authors call it
    tokens    what splits the texts, in words
    tokenise  splits them
    random    seed -> the network, weights drawn; nothing of items in it
    padded    (network, rows on its device) -> [texts, dim], as the network's own code computes it
    apart     network -> what serving runs of it

    The rest are sizes; a layer is as wide as usual, four times ``width`` in its middle.
    """

    model: str
    dim: int
    width: int
    layers: int
    vocabulary: int
    tokens: str
    tokenise: Callable[[Sequence[str]], TokenRows]
    random: Callable[[int], nn.Module]
    padded: Callable[[Any, TokenRows], Tensor]
    apart: Callable[[Any], Stack]

    @property
    def parameters(self) -> int:
        """Of the matrices, within a hundredth of all."""
        layer = 12 * self.width**2
        return self.layers * layer + (self.vocabulary + LONGEST + self.dim) * self.width

    def operations(self, tokens: float) -> float:
        """Multiplications and additions for a text of so many tokens."""
        attention = 4 * tokens * self.width
        return self.layers * tokens * (24 * self.width**2 + attention)


class PaddedEncoder:
    """The network as it is, every text padded to 77 tokens."""

    def __init__(
        self, tower: TextTower, network: nn.Module, numbers: Computed, device: torch.device
    ) -> None:
        self._tower = tower
        self._network = network
        self._device = device

    @property
    def bytes(self) -> int:
        return sum(one.nbytes for one in self._network.parameters())

    def encode(self, rows: TokenRows) -> Tensor:
        """[texts, dim] on the device, not normalised."""
        there = TokenRows(rows.numbers.to(self._device), rows.lengths.to(self._device))
        return self._tower.padded(self._network, there)


@dataclass(frozen=True)
class TrimmedEncoder:
    """What serving runs of the network, every text at its real length.

    bytes  of all of it
    """

    packed: PackedEncoder
    bytes: int

    def encode(self, rows: TokenRows) -> Tensor:
        """[texts, dim] on the device, not normalised."""
        return self.packed.encode(rows.numbers, rows.lengths)


def trimmed(
    tower: TextTower, network: nn.Module, numbers: Computed, device: torch.device
) -> TrimmedEncoder:
    """What serves of a network that is on the device, in ``dtype(numbers)``."""
    stack = tower.apart(network)
    encoder = PackedEncoder(stack, numbers, device)
    whole = sum(one.nbytes for one in network.parameters())
    taken = sum(layer.bytes for layer in stack.layers)
    return TrimmedEncoder(encoder, whole - taken + encoder.bytes)


def clip_word_pieces(texts: Sequence[str]) -> TokenRows:
    """CLIP's word pieces; the token that ends a text has the highest number."""
    numbers = torch.stack(list(clip_tokens(LONGEST)(texts)))
    return TokenRows(numbers, numbers.argmax(dim=1) + 1)
