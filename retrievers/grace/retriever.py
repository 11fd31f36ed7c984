"""GRACE behind the harness's contract."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from cart.captions import Captioned, Generated
from cart.tokenizer import train_tokenizer
from datasets.base import Item, Pairs
from retrievers import item_embeddings
from retrievers.base import (
    Cost,
    Encoder,
    GalleryCaptions,
    IndexStats,
    IntArray,
    Ranking,
    RetrieverSpec,
    check_depth,
)
from retrievers.captioners.neighbours import Neighbours
from retrievers.grace.config import GraceConfig
from retrievers.grace.gallery import Gallery, learn, load, save
from retrievers.grace.schemes import Scheme
from retrievers.progress import Bars


class Grace:
    """A small version of GRACE (Li et al., ACL 2024) trained on the pairs that are given.

    What is kept: the identifiers; one model that learns to memorise (an item's embedding to its
    identifier) and to retrieve (a query to its item's identifier), both in every step and in
    GRACE's proportion; queries for the gallery that no human wrote; constrained beam search with
    ten beams (as many as are asked for, where they are more) and the length penalty.

    What is not: OpenFlamingo-3B, in whose place stands an encoder-decoder of CART's size that
    starts from nothing and memorises from an embedding, not from the picture; the captioner, in
    whose place gallery items borrow the captions of their training neighbours, as CART's do here;
    and more than one semantic identifier an item. Beams that have ended stay among the ten, and
    a penalty counts the identifier's tokens only.

    All of the training is indexing: identifiers of training items and gallery are made together.
    """

    def __init__(
        self,
        spec: RetrieverSpec,
        encoder: Encoder,
        scheme: Scheme,
        config: GraceConfig,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self._spec, self._encoder, self._scheme, self._config = spec, encoder, scheme, config
        self._seed, self._device, self._bars = seed, device, Bars()
        self._known: tuple[Captioned, Tokenizer] | None = None
        self._captioner = Neighbours(config.captions)
        self._generated: Generated | None = None
        self._gallery: Gallery | None = None
        self._ids: list[str] = []

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder where it can be, and the tokenizer; ``validation`` chooses nothing but
        the encoder, for GRACE trains for a fixed number of epochs."""
        seconds = {f"encoder_{k}": v for k, v in self._encoder.fit(train, validation).items()}
        clock = time.perf_counter()
        captioned = item_embeddings.captioned(self._encoder, train)
        seconds["encode"] = time.perf_counter() - clock
        tokenizer = train_tokenizer(train.captions, self._config.vocabulary)
        self._captioner.fit(train, captioned)
        self._known, self._gallery, self._ids = (captioned, tokenizer), None, []
        return seconds

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Learn training items and gallery from the beginning.

        Raises ValueError when nothing was fitted here: a saved GRACE brings its gallery but not
        the training pairs that a new one is learned beside.
        """
        if self._known is None:
            raise ValueError("fit the model before it is given a gallery")
        clock = time.perf_counter()
        embeddings = self._encoder.encode_items(items)
        seconds = {"encode": time.perf_counter() - clock}
        clock = time.perf_counter()
        train, tokenizer = self._known
        self._generated = self._captioner.captions(items, embeddings)
        with self._bars.shown():
            self._gallery = learn(
                train,
                embeddings,
                self._generated,
                tokenizer,
                self._scheme,
                self._config,
                self._seed,
                self._device,
                self._bars.step,
            )
        seconds["train"] = time.perf_counter() - clock
        self._ids = [item.id for item in items]
        return IndexStats(seconds, self._gallery.bytes)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Beam search; ``tokens_decoded`` counts decoder positions, unused beams included."""
        check_depth(k)
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        answer = self._gallery.search(queries, k)
        return Ranking(answer.items, answer.scores, Cost(tokens_decoded=answer.tokens_decoded))

    def gallery_captions(self) -> GalleryCaptions | None:
        """What its training neighbours lent to the gallery; None after ``load``."""
        if self._generated is None:
            return None
        return GalleryCaptions(self._generated.texts, self._generated.source)

    def identifiers(self, items: Sequence[Item]) -> IntArray:
        """[items, positions] the tokens of each item's identifier, -1 behind a shorter one."""
        places = {one: row for row, one in enumerate(self._ids)}
        absent = [item.id for item in items if item.id not in places]
        if self._gallery is None or absent:
            raise ValueError(f"no item {absent[0]!r} in the gallery" if absent else "no gallery")
        return self._gallery.identifiers[[places[item.id] for item in items]]

    def save(self, folder: Path) -> None:
        """Write encoder, model and gallery. Raises ValueError when nothing was indexed."""
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery to save: call index first")
        save(self._gallery, self._scheme, folder / "grace")
        (folder / "encoder").mkdir(parents=True, exist_ok=True)
        self._encoder.save(folder / "encoder")
        (folder / "gallery.json").write_text(json.dumps(self._ids), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote; a new gallery needs ``fit`` first."""
        self._gallery = load(folder / "grace", self._scheme, self._config, self._device)
        self._encoder.load(folder / "encoder")
        self._ids = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
        self._known = self._generated = None
