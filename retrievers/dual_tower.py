"""A dual tower: items and texts are encoded apart and compared by inner product."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from datasets.base import Item, Pairs
from retrievers.base import (
    Encoder,
    FloatArray,
    IndexStats,
    Ranking,
    RetrieverSpec,
    VectorIndex,
    check_depth,
)
from retrievers.kept_gallery import KeptGallery, distinct_ids


class DualTower:
    """Encodes the gallery once and a query at a time, and asks the index for the nearest.

    The vectors are kept on the host beside the index, so that the gallery can be changed
    and saved without encoding it again. ``new_index`` makes an empty index: one for the items,
    and one for the texts of the reverse direction, which are not saved.
    """

    def __init__(
        self, spec: RetrieverSpec, encoder: Encoder, new_index: Callable[[], VectorIndex]
    ) -> None:
        self._spec = spec
        self._encoder = encoder
        self._new_index = new_index
        self._index = new_index()
        self._gallery: KeptGallery[FloatArray] | None = None
        self._texts: VectorIndex | None = None

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    @property
    def encoder(self) -> Encoder:
        return self._encoder

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder; seconds by phase. What was indexed before no longer holds."""
        self._gallery = None
        self._texts = None
        return self._encoder.fit(train, validation)

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Replace the gallery. Raises ValueError when an id occurs twice."""
        ids = distinct_ids([item.id for item in items])
        started = time.perf_counter()
        vectors = self._encode(items)
        encoded = time.perf_counter()
        self._take(KeptGallery(ids, vectors))
        built = time.perf_counter()
        seconds = {"encode": encoded - started, "build": built - encoded}
        return IndexStats(seconds, self._index.bytes)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Rank the gallery. Raises ValueError when k < 1 or when nothing was indexed."""
        check_depth(k)
        self._indexed()
        return self._index.search(self._encode_texts(queries), k)

    def index_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts that ``search_texts`` ranks; the gallery stays."""
        index = self._new_index()
        index.build(self._encode_texts(texts))
        self._texts = index

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        """Rank the texts for each item; an item of the gallery is not encoded again.

        Raises ValueError when k < 1 or when no texts were indexed.
        """
        check_depth(k)
        if self._texts is None:
            raise ValueError(f"{self._spec.name} has no texts: call index_texts first")
        return self._texts.search(self._vectors_of(items), k)

    def add(self, items: Sequence[Item]) -> None:
        """Append items to the gallery: their rows follow those that are there.

        Raises ValueError when an id is already in the gallery.
        """
        self._take(self._indexed().with_more(items, self._encode, _joined))

    def remove(self, ids: Sequence[str]) -> None:
        """Take items out of the gallery: the rows of those behind them move up.

        Raises ValueError when an id is not in the gallery.
        """
        self._take(self._indexed().without(ids, lambda vectors, kept: vectors[kept]))

    def save(self, folder: Path) -> None:
        """Write the encoder and the gallery's vectors.

        Raises ValueError when nothing was indexed.
        """
        gallery = self._indexed()
        (folder / "encoder").mkdir(parents=True, exist_ok=True)
        self._encoder.save(folder / "encoder")
        save_file(
            {"vectors": np.ascontiguousarray(gallery.vectors)}, folder / "gallery.safetensors"
        )
        (folder / "gallery.json").write_text(json.dumps(gallery.ids), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote. Raises ValueError when the parts do not fit together."""
        self._encoder.load(folder / "encoder")
        self._texts = None
        vectors = load_file(folder / "gallery.safetensors")["vectors"]
        ids = tuple(json.loads((folder / "gallery.json").read_text(encoding="utf-8")))
        if vectors.shape != (len(ids), self._encoder.dim):
            raise ValueError(
                f"{folder} holds {len(ids)} ids and vectors of shape {vectors.shape}, "
                f"but the encoder gives {self._encoder.dim} dimensions"
            )
        self._take(KeptGallery(ids, vectors))

    def _encode(self, items: Sequence[Item]) -> FloatArray:
        if not len(items):
            return np.zeros((0, self._encoder.dim), np.float32)
        return self._encoder.encode_items(items)

    def _encode_texts(self, texts: Sequence[str]) -> FloatArray:
        if not len(texts):
            return np.zeros((0, self._encoder.dim), np.float32)
        return self._encoder.encode_texts(texts)

    def _vectors_of(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim], taken from the gallery where an item is in it."""
        gallery = self._gallery or KeptGallery((), np.zeros((0, self._encoder.dim), np.float32))
        rows = gallery.rows_of(items)
        known = rows >= 0
        vectors = np.empty((len(items), gallery.vectors.shape[1]), np.float32)
        vectors[known] = gallery.vectors[rows[known]]
        vectors[~known] = self._encode([items[place] for place in np.flatnonzero(~known).tolist()])
        return vectors

    def _take(self, gallery: KeptGallery[FloatArray]) -> None:
        self._index.build(gallery.vectors)
        self._gallery = gallery

    def _indexed(self) -> KeptGallery[FloatArray]:
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        return self._gallery


def _joined(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.concatenate([one, other])
