"""BLIP-2's Q-Former as it scores pairs, without the trunk that sees pictures.

A picture's features are kept when a gallery is indexed, so serving never runs the trunk. Here a
few features are drawn, and those of item i are the (i modulo so many)th: a pair costs the same
whichever picture it is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from retrievers.base import FloatArray, Precision
from retrievers.encoders.token_towers import tokens_of
from retrievers.encoders.towers import Placement, host
from retrievers.scorers.blip2_network import Blip2Parts, Config, empty_network, released_config
from retrievers.serving.contract import CannotServe, Needs, Place
from retrievers.serving.numbers import computed
from retrievers.serving.stand_in_tokens import word_pieces
from retrievers.weights.random import seeded

_SEED = 0
TEXTS_AT_ONCE = 34
# Behind BERT's word pieces, [DEC], which retrieval does not use.
_ADDED = 1
# What two cores do in fp32, multiplications and additions a second.
_RATE = 120e9
_PROCESS_BYTES = 900 << 20
_FEATURES_BYTES = 4 * 677 * 1408


@dataclass(frozen=True)
class PairShape:
    """Sizes of the scorer.

    config           as ``retrievers.scorers.blip2_network`` reads it
    tokens           that a text has at most
    items            whose features are drawn
    parameters       of the network, all but the trunk's
    pair_operations  multiplications and additions for a caption and an item whose keys and values
                     are there
    item_operations  for these
    """

    config: Config
    tokens: int = 35
    items: int = 16
    parameters: int = 187_000_000
    pair_operations: float = 9.4e9
    item_operations: float = 17.6e9

    def needs(self, place: Place, pairs: float, items: float) -> Needs:
        """For so many pairs a text, of so many items that are looked at anew for it; what a row
        needs of which that is measured, not what all pairs would. Raises CannotServe."""
        _numbers(place)
        seconds = (pairs * self.pair_operations + items * self.item_operations) / _RATE
        held = 4 * self.parameters + self.items * _FEATURES_BYTES
        on_processor = place.device == "cpu"
        return Needs(
            seconds_to_build=20.0,
            seconds_a_query=seconds,
            # The features of a few pairs at once, their keys and their values.
            host_bytes=_PROCESS_BYTES + 2 * held,
            device_bytes=0 if on_processor else 2 * held,
        )


RELEASED = PairShape(released_config())


class QFormerPairs:
    """A Q-Former with random weights, and drawn features that it looks at."""

    def __init__(self, shape: PairShape, place: Place) -> None:
        """Raises CannotServe where the numbers are not for it."""
        self.numbers = _numbers(place)
        self._shape = shape
        self._placement = Placement(place.device, self.numbers)
        made: Any = seeded(_SEED, partial(_random, shape.config))
        self.network: Any = self._placement.put(made)
        self.parts = Blip2Parts(self.network)
        places, width = made.vision_model.embeddings.position_embedding.shape[1:]
        generator = torch.Generator().manual_seed(_SEED)
        drawn = torch.randn((shape.items, places, width), generator=generator)
        self.features = self._placement.take(drawn)

    @property
    def told(self) -> Mapping[str, str | int | float | bool]:
        """Options of every row that scores such pairs."""
        _, places, width = self.features.shape
        return {
            "network": f"Q-Former of BLIP-2, {places} places of {width} numbers an item",
            "tokens": f"CLIP's word pieces for BERT's, trimmed, at most {self._shape.tokens}",
            "features": f"of {self._shape.items} drawn items, which stand for all in turn",
            "numbers": self.numbers,
        }

    @property
    def bytes(self) -> int:
        """Of the network."""
        return sum(one.nbytes for one in self.network.parameters())

    @property
    def bytes_an_item(self) -> int:
        """Of an item's features, which serving a real gallery would hold for every item."""
        return self.features[0].nbytes

    @property
    def held(self) -> int:
        """Items whose features are here."""
        return len(self.features)

    def of_items(self, rows: Sequence[int]) -> Tensor:
        """Features [rows, places, width] of candidates."""
        return self.features[[row % len(self.features) for row in rows]]

    def of_item(self, row: int) -> Tensor:
        """Features [places, width] of a candidate."""
        return self.features[row % len(self.features)]

    def text_vectors(self, tokens: Tensor) -> FloatArray:
        """[texts, dim] for the contrast, of tokens [texts, length]; texts of alike length at
        once."""
        dim: int = self.network.text_projection.out_features
        vectors = np.empty((len(tokens), dim), np.float32)
        for part, asked in alike(tokens):
            with torch.inference_mode():
                rows = host(self.parts.text_rows(asked))
            vectors[part.cpu().numpy()] = tokens_of(rows, dim).vectors[:, 0]
        return vectors

    def scores(self, features: Tensor, tokens: Tensor) -> FloatArray:
        """Logits [pairs] of features [pairs, places, width] and tokens [pairs, length]."""
        with torch.inference_mode():
            return host(self.parts.match(features, tokens))

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """int64 [texts, length of the longest], 0 behind a text."""
        words = self.network.embeddings.word_embeddings.num_embeddings - _ADDED
        return self._placement.take(word_pieces(texts, words, self._shape.tokens))


def _numbers(place: Place) -> Precision:
    numbers = computed(place)
    if numbers == "int8":
        raise CannotServe("BLIP-2 is not served in int8: ask for fp32 or bf16.")
    return numbers


def alike(tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Texts of alike length together, so that little of a batch is padding: which they are, and
    their tokens, of tokens [texts, length] with 0 behind a text."""
    lengths = (tokens != 0).sum(dim=1)
    return [
        (part, tokens[part, : int(lengths[part].max())])
        for part in lengths.argsort().split(TEXTS_AT_ONCE)
    ]


def _random(config: Config) -> nn.Module:
    """The network with no layer in its trunk, weights drawn as wide as their inputs ask."""
    vision = {**config["vision_config"], "num_hidden_layers": 0}
    made = empty_network({**config, "vision_config": vision})
    counted = made.embeddings.position_ids
    made.to_empty(device="cpu")
    made.embeddings.position_ids = counted
    for name, parameter in made.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        else:
            nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    drawn: nn.Module = made
    return drawn
