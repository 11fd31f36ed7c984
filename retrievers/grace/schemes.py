"""The three kinds of identifiers that GRACE compares, and what each is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from cart.captions import Captioned
from cart.monitor import Monitor
from cart.tokenizer import encode
from retrievers.grace.config import Options
from retrievers.grace.identifiers import (
    caption_identifiers,
    numbers_within,
    own_captions,
    structured_identifiers,
)
from retrievers.grace.tokens import IdentifierTokens, ItemTokens, LevelTokens, WordTokens

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """All that is known when a gallery is indexed; of its items no caption of their own.

    gallery  [items, dim]
    lent     the captions that each gallery item borrows, best first
    """

    train: Captioned
    gallery: FloatArray
    lent: Sequence[Sequence[str]]
    tokenizer: Tokenizer

    @property
    def embeddings(self) -> FloatArray:
        """Of training items, then of the gallery [items, dim]."""
        return np.concatenate([self.train.embeddings, self.gallery])


@dataclass(frozen=True)
class Assigned:
    """Identifiers of training items, then of the gallery [items, positions], and the tokens that
    a decoder writes them in, not yet trained."""

    identifiers: IntArray
    tokens: IdentifierTokens


@dataclass(frozen=True)
class Semantic:
    """An item's identifier is a caption: of a training item its own that lies nearest to it.

    GRACE has its model caption the gallery first, and any of an item's captions leads to it. No
    captioner's weights are at hand: a gallery item borrows the caption of its training neighbours
    that lies nearest to it, and where two borrow the same, a number follows. ``longest`` counts
    tokens, the number's too: GRACE writes up to 20; fewer are quicker to learn and to search.
    """

    longest: int = 8
    name = "semantic"
    memorises = True

    def assign(
        self, known: Known, width: int, seed: int, monitor: Monitor | None = None
    ) -> Assigned:
        own = self._written(known, own_captions(known.train))
        lent = self._written(known, [captions[0] if captions else "" for captions in known.lent])
        # Training items are never searched and may share an identifier.
        numbers = np.concatenate(
            [np.zeros(len(own), dtype=np.int64), numbers_within(lent, self.longest)]
        )
        words = known.tokenizer.get_vocab_size()
        identifiers = caption_identifiers([*own, *lent], numbers, words, self.longest)
        sizes = (words + int(numbers.max()) + 1, identifiers.shape[1])
        return Assigned(identifiers, self.tokens(width, sizes))

    def tokens(self, width: int, sizes: Sequence[int]) -> WordTokens:
        return WordTokens(width, sizes)

    def _written(self, known: Known, captions: Sequence[str]) -> list[list[int]]:
        read = encode(known.tokenizer, captions, self.longest)
        return [tokens[1:] for tokens in read]


@dataclass(frozen=True)
class Structured:
    """Recursive k-means over training items and gallery together, a token a level.

    GRACE uses CLIP ViT-L/14, starts each k-means a hundred times and takes a mini-batch one
    above a thousand items.
    """

    branches: int = 30
    leaf: int = 30
    restarts: int = 3
    name = "structured"
    memorises = True

    def assign(
        self, known: Known, width: int, seed: int, monitor: Monitor | None = None
    ) -> Assigned:
        identifiers = structured_identifiers(
            known.embeddings, self.branches, self.leaf, self.restarts, seed, monitor
        )
        sizes = [max(self.branches, self.leaf)] * identifiers.shape[1]
        return Assigned(identifiers, self.tokens(width, sizes))

    def tokens(self, width: int, sizes: Sequence[int]) -> LevelTokens:
        return LevelTokens(width, sizes)


@dataclass(frozen=True)
class Atomic:
    """A token an item, chosen in one step: a classifier over the items, not generation.

    The token's vector is the item's frozen embedding, so that a query is answered by an inner
    product with every item, as by a dual tower whose text side alone was trained.
    """

    name = "atomic"
    memorises = False

    def assign(
        self, known: Known, width: int, seed: int, monitor: Monitor | None = None
    ) -> Assigned:
        embeddings = known.embeddings
        tokens = self.tokens(width, embeddings.shape)
        tokens.matrix.copy_(torch.from_numpy(embeddings))
        return Assigned(np.arange(len(embeddings))[:, None], tokens)

    def tokens(self, width: int, sizes: Sequence[int]) -> ItemTokens:
        return ItemTokens(width, sizes)


Scheme = Semantic | Structured | Atomic


def options(scheme: Scheme) -> Options:
    """The scheme's settings, "identifiers.branches" -> 30."""
    own = {f"identifiers.{name}": value for name, value in asdict(scheme).items()}
    return {"identifiers": scheme.name, **own}
