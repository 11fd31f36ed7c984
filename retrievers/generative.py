"""A generative retriever: CART over the item embeddings of any encoder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cart.captions import Generated
from cart.cart import Cart
from cart.saving import load, save
from datasets.base import DatasetError, Item, Pairs
from retrievers import item_embeddings
from retrievers.base import (
    BeamStep,
    BeamTree,
    Cost,
    Encoder,
    FloatArray,
    GalleryCaptions,
    IndexStats,
    IntArray,
    ItemMap,
    Ranking,
    RetrieverSpec,
    check_depth,
)
from retrievers.captioners.contract import Captioner
from retrievers.captioners.vectors import TextVectors, generated_for
from retrievers.controls.ceilings import Taught, ceilings
from retrievers.progress import Bars


class Generative:
    """CART behind the harness's contract.

    ``encoder`` gives items their embeddings, from which identifiers are made; a query is read by
    CART's own encoder. Of the gallery CART learns what ``captioner`` says, or identifiers alone
    where there is none.
    """

    def __init__(
        self,
        spec: RetrieverSpec,
        encoder: Encoder,
        cart: Cart,
        captioner: Captioner | None,
        bars: Bars | None = None,
    ) -> None:
        self._spec, self._encoder, self._cart, self._captioner = spec, encoder, cart, captioner
        self._bars = bars or Bars()
        self._ids: list[str] = []
        self._items: dict[str, Item] = {}
        self._taught: Taught | None = None
        self._vectors: TextVectors | None = None

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder where it can be, then the identifiers and the model."""
        seconds = {f"encoder_{k}": v for k, v in self._encoder.fit(train, validation).items()}
        clock = time.perf_counter()
        captioned = item_embeddings.captioned(self._encoder, train)
        chosen_on = item_embeddings.captioned(self._encoder, validation)
        seconds["encode"] = time.perf_counter() - clock
        teacher = self._cart.config.teacher
        self._vectors = TextVectors.for_teacher(teacher, self._encoder, captioned)
        self._ids, self._items, self._taught = [], {}, None
        clock = time.perf_counter()
        if self._captioner is not None:
            learned = self._captioner.fit(train, captioned)
            seconds |= {f"captioner_{k}": v for k, v in learned.items()}
            clock = time.perf_counter()
        generated = self._generated(validation.items, chosen_on.embeddings)
        seconds["captions"] = time.perf_counter() - clock
        with self._bars.shown():
            fitted = self._cart.fit(captioned, chosen_on, generated)
        return {**seconds, **fitted}

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Give the gallery its identifiers and learn it from what the captioner says.

        Raises DatasetError where it has nothing to say of any item.
        """
        clock = time.perf_counter()
        embeddings = self._encoder.encode_items(items)
        encode = time.perf_counter() - clock
        clock = time.perf_counter()
        generated = self._generated(items, embeddings)
        self._check_heard(generated)
        captions = time.perf_counter() - clock
        with self._bars.shown():
            seconds = self._cart.absorb(embeddings, generated)
        self._ids = [item.id for item in items]
        self._items = {item.id: item for item in items}
        self._taught = Taught.of(embeddings, generated)
        return IndexStats({"encode": encode, "captions": captions, **seconds}, self._cart.bytes)

    def _generated(
        self, items: Sequence[Item], embeddings: FloatArray, most: int | None = None
    ) -> Generated | None:
        return generated_for(items, embeddings, self._captioner, self._vectors, most)

    def _check_heard(self, generated: Generated | None) -> None:
        if self._captioner is None or generated is None or any(generated.texts):
            return
        raise DatasetError(
            f"No item of the gallery has a caption of {self._captioner.source.name}: see that "
            f"the ids are the same. {' '.join(self._captioner.remarks)}".rstrip()
        )

    def gallery_captions(self) -> GalleryCaptions | None:
        """What the captioner said of the gallery; None where there is none, and after ``load``."""
        if self._captioner is None or self._taught is None or self._taught.texts is None:
            return None
        source, remarks = self._captioner.source, tuple(self._captioner.remarks)
        return GalleryCaptions(self._taught.texts, source.name, source.outside, remarks)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Beam search; ``tokens_decoded`` counts the decoder positions computed."""
        check_depth(k)
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
        embeddings = self._encoder.encode_items(items)
        self._cart.add(embeddings)
        self._ids += [item.id for item in items]
        self._items |= {item.id: item for item in items}
        self._taught = self._taught and self._taught.with_more(embeddings)

    def remove(self, ids: Sequence[str]) -> None:
        """Take items out; rows behind them move up. Raises ValueError for an unknown id."""
        rows = self._rows_of(ids)
        self._cart.remove(rows)
        gone = set(ids)
        self._ids = [one for one in self._ids if one not in gone]
        self._items = {one: item for one, item in self._items.items() if one not in gone}
        self._taught = self._taught and self._taught.without(rows)

    def adapt(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Learn items that were added from what the captioner says of them; seconds by phase.

        Without a captioner there is nothing to learn. Raises ValueError for an unknown id, and
        when nothing was fitted here.
        """
        rows = self._rows_of(ids)
        if self._taught is None:
            raise ValueError("fit the model before it learns what was added")
        clock = time.perf_counter()
        items = [self._items[one] for one in ids]
        captions = self._cart.config.captions
        most = captions.captions_per_item if captions else None
        generated = self._generated(items, self._taught.vectors[rows], most)
        heard = time.perf_counter() - clock
        if generated is None:
            return {}
        with self._bars.shown():
            seconds = self._cart.adapt(rows, generated)
        self._taught = self._taught.retold(rows, generated)
        return {"captions": heard, **seconds}

    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """Accuracy per identifier token, collision ceiling, codebook perplexity; and what its
        teacher and the generated captions reach by themselves, unless it was loaded."""
        own = self._cart.diagnose(queries, relevant)
        if self._taught is None:
            return own
        return {**own, **ceilings(self._encoder, self._taught, queries, relevant)}

    def _rows_of(self, ids: Sequence[str]) -> list[int]:
        places = {one: row for row, one in enumerate(self._ids)}
        absent = [one for one in ids if one not in places]
        if absent:
            raise ValueError(f"no item {absent[0]!r} in the gallery")
        return [places[one] for one in ids]

    def item_map(self, items: Sequence[Item]) -> ItemMap:
        """The embeddings that the identifiers were made of, and the identifiers' codes."""
        if [item.id for item in items] != self._ids or self._cart.gallery is None:
            raise ValueError("the map is of the gallery that was indexed, in its order")
        sizes = self._cart.config.identifiers.sizes
        return ItemMap(self._encoder.encode_items(items), self._cart.gallery[:, :-1], sizes)

    def explain(self, query: str, k: int) -> BeamTree:
        """The plain beam over the gallery as it is now; the engine's is the same to a rounding."""
        check_depth(k)
        if self._cart.gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        written = self._cart.explain(query, k)
        steps = tuple(BeamStep(one.prefixes, one.scores, one.kept) for one in written.steps)
        return BeamTree(steps, written.items, self._cart.gallery)

    def identifiers(self, items: Sequence[Item]) -> IntArray:
        """[items, levels + 1] the codes of each item's identifier, its counter last."""
        rows = self._rows_of([item.id for item in items])
        if self._cart.gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        return self._cart.gallery[rows]

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
        self._items, self._taught, self._vectors = {}, None, None
