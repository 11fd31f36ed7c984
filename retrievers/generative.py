"""A generative retriever: CART over the item embeddings of any encoder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cart.captions import Captioned, Captioner, NeighbourCaptioner
from cart.cart import Cart
from cart.saving import load, save
from datasets.base import Item, Pairs
from retrievers.base import (
    Cost,
    Encoder,
    FloatArray,
    IndexStats,
    IntArray,
    Ranking,
    RetrieverSpec,
)


class Generative:
    """CART behind the harness's contract.

    ``encoder`` gives items their embeddings, from which identifiers and borrowed captions are
    made; a query is read by CART's own encoder.
    """

    def __init__(self, spec: RetrieverSpec, encoder: Encoder, cart: Cart) -> None:
        self._spec, self._encoder, self._cart = spec, encoder, cart
        self._captioner: Captioner | None = None
        self._ids: list[str] = []

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder where it can be, then the identifiers and the model."""
        seconds = {f"encoder_{k}": v for k, v in self._encoder.fit(train, validation).items()}
        clock = time.perf_counter()
        captioned, chosen_on = self._captioned(train), self._captioned(validation)
        seconds["encode"] = time.perf_counter() - clock
        captions = self._cart.config.captions
        self._captioner = NeighbourCaptioner(captioned, captions) if captions else None
        self._ids = []
        return {**seconds, **self._cart.fit(captioned, chosen_on, self._captioner)}

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Give the gallery its identifiers and learn it from borrowed captions."""
        clock = time.perf_counter()
        embeddings = self._encoder.encode_items(items)
        encode = time.perf_counter() - clock
        seconds = self._cart.absorb(embeddings, self._captioner)
        self._ids = [item.id for item in items]
        return IndexStats({"encode": encode, **seconds}, self._cart.bytes)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Beam search; ``tokens_decoded`` counts decoder positions, unused beams included."""
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not self._ids:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        answer = self._cart.search(queries, k)
        return Ranking(answer.items, answer.scores, Cost(tokens_decoded=answer.tokens_decoded))

    def add(self, items: Sequence[Item]) -> None:
        """Append items, given identifiers by the codebooks as they are; nothing is trained."""
        known = {*self._ids}
        twice = [item.id for item in items if item.id in known]
        if twice:
            raise ValueError(f"the gallery would hold the item {twice[0]!r} twice")
        self._cart.add(self._encoder.encode_items(items))
        self._ids += [item.id for item in items]

    def remove(self, ids: Sequence[str]) -> None:
        """Take items out; rows behind them move up. Raises ValueError for an unknown id."""
        places = {one: row for row, one in enumerate(self._ids)}
        absent = [one for one in ids if one not in places]
        if absent:
            raise ValueError(f"no item {absent[0]!r} in the gallery")
        self._cart.remove([places[one] for one in ids])
        gone = set(ids)
        self._ids = [one for one in self._ids if one not in gone]

    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """Accuracy per identifier token, collision ceiling, codebook perplexity."""
        return {
            **self._cart.identifier_figures(),
            **self._cart.token_accuracy(queries, relevant),
        }

    def save(self, folder: Path) -> None:
        """Write encoder, model and gallery. Raises ValueError when nothing was indexed."""
        save(self._cart, folder / "cart")
        (folder / "encoder").mkdir(parents=True, exist_ok=True)
        self._encoder.save(folder / "encoder")
        (folder / "gallery.json").write_text(json.dumps(self._ids), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote; a new gallery needs ``fit`` first."""
        load(self._cart, folder / "cart")
        self._encoder.load(folder / "encoder")
        self._ids = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
        self._captioner = None

    def _captioned(self, pairs: Pairs) -> Captioned:
        if not pairs.items:
            empty: FloatArray = np.zeros((0, self._encoder.dim), np.float32)
            return Captioned(empty, (), (), empty)
        return Captioned(
            self._encoder.encode_items(pairs.items),
            pairs.captions,
            pairs.rows,
            self._encoder.encode_texts(pairs.captions),
        )
