"""A dual tower of several vectors a thing: items and texts are encoded apart and met late."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors.numpy import load_file, save_file

from datasets.base import Item, Pairs
from retrievers.base import IndexStats, Ranking, RetrieverSpec
from retrievers.kept_gallery import KeptGallery, distinct_ids
from retrievers.token_index import Interaction, TokenIndex, Tokens


class TokenEncoder(Protocol):
    """Maps items and texts into sets of vectors of one space.

    All items have one number of tokens, and all texts have one number: padding is part of what
    an encoder gives, since the number of places may change a score.
    """

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever a vector or a weight could."""
        ...

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Seconds by phase; empty for a pretrained encoder."""
        ...

    def encode_items(self, items: Sequence[Item]) -> Tokens: ...

    def encode_texts(self, texts: Sequence[str]) -> Tokens: ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


class LateInteraction:
    """Encodes the gallery once and a query at a time, and compares their vectors in full.

    The gallery's vectors are kept on the host beside the index, so that the gallery can be
    changed and saved without encoding it again. The texts of the reverse direction are not saved.
    """

    def __init__(
        self,
        spec: RetrieverSpec,
        encoder: TokenEncoder,
        interaction: Interaction,
        device: str = "cpu",
    ) -> None:
        self._spec = spec
        self._encoder = encoder
        self._items = TokenIndex(interaction, device)
        self._texts = TokenIndex(lambda items, texts: interaction(texts, items).T, device)
        self._gallery: KeptGallery[Tokens] | None = None
        self._has_texts = False

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder; seconds by phase. What was indexed before no longer holds."""
        self._gallery = None
        self._has_texts = False
        return self._encoder.fit(train, validation)

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Replace the gallery. Raises ValueError when an id occurs twice."""
        ids = distinct_ids([item.id for item in items])
        started = time.perf_counter()
        tokens = self._encoder.encode_items(items)
        encoded = time.perf_counter()
        self._take(KeptGallery(ids, tokens))
        built = time.perf_counter()
        seconds = {"encode": encoded - started, "build": built - encoded}
        return IndexStats(seconds, self._items.bytes)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Rank the gallery. Raises ValueError when k < 1 or when nothing was indexed."""
        self._indexed()
        return self._items.search(self._encoder.encode_texts(queries), k)

    def index_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts that ``search_texts`` ranks; the gallery stays."""
        self._texts.build(self._encoder.encode_texts(texts))
        self._has_texts = True

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        """Rank the texts for each item; an item of the gallery is not encoded again.

        Raises ValueError when k < 1 or when no texts were indexed.
        """
        if not self._has_texts:
            raise ValueError(f"{self._spec.name} has no texts: call index_texts first")
        return self._texts.search(self._tokens_of(items), k)

    def add(self, items: Sequence[Item]) -> None:
        """Append items to the gallery: their rows follow those that are there.

        Raises ValueError when an id is already in the gallery.
        """
        self._take(self._indexed().with_more(items, self._encoder.encode_items, _joined))

    def remove(self, ids: Sequence[str]) -> None:
        """Take items out of the gallery: the rows of those behind them move up.

        Raises ValueError when an id is not in the gallery.
        """
        self._take(self._indexed().without(ids, Tokens.rows))

    def save(self, folder: Path) -> None:
        """Write the encoder and the gallery's vectors.

        Raises ValueError when nothing was indexed.
        """
        gallery = self._indexed()
        (folder / "encoder").mkdir(parents=True, exist_ok=True)
        self._encoder.save(folder / "encoder")
        arrays = {"vectors": gallery.vectors.vectors, "weights": gallery.vectors.weights}
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            folder / "gallery.safetensors",
        )
        (folder / "gallery.json").write_text(json.dumps(gallery.ids), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote. Raises ValueError when the parts do not fit together."""
        self._encoder.load(folder / "encoder")
        self._has_texts = False
        arrays = load_file(folder / "gallery.safetensors")
        tokens = Tokens(arrays["vectors"], arrays["weights"])
        ids = tuple(json.loads((folder / "gallery.json").read_text(encoding="utf-8")))
        if (len(tokens), tokens.vectors.shape[2]) != (len(ids), self._encoder.dim):
            raise ValueError(
                f"{folder} holds {len(ids)} ids and vectors of shape {tokens.vectors.shape}, "
                f"but the encoder gives {self._encoder.dim} dimensions"
            )
        self._take(KeptGallery(ids, tokens))

    def _tokens_of(self, items: Sequence[Item]) -> Tokens:
        """Taken from the gallery where an item is in it."""
        if self._gallery is None:
            return self._encoder.encode_items(items)
        rows = self._gallery.rows_of(items)
        known, fresh = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        kept = self._gallery.vectors.rows(rows[known])
        encoded = self._encoder.encode_items([items[place] for place in fresh.tolist()])
        return _joined(kept, encoded).rows(np.argsort(np.concatenate([known, fresh])))

    def _take(self, gallery: KeptGallery[Tokens]) -> None:
        self._items.build(gallery.vectors)
        self._gallery = gallery

    def _indexed(self) -> KeptGallery[Tokens]:
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        return self._gallery


def _joined(one: Tokens, other: Tokens) -> Tokens:
    if not len(one) or not len(other):
        return one if len(one) else other
    if one.vectors.shape[1:] != other.vectors.shape[1:]:
        raise ValueError(
            f"the gallery has {one.vectors.shape[1:]} numbers an item, "
            f"and the encoder now gives {other.vectors.shape[1:]}"
        )
    return Tokens(
        np.concatenate([one.vectors, other.vectors]), np.concatenate([one.weights, other.weights])
    )
