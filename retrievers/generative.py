"""A generative retriever: CART over the item embeddings of any encoder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tokenizers import Tokenizer

from cart.captions import Generated
from cart.cart import Cart
from cart.config import (
    CaptionConfig,
    CartConfig,
    IdentifierConfig,
    ModelConfig,
    TrainConfig,
)
from cart.presets import PAPER
from cart.saving import load, save
from cart.tokenizer import vocabulary_size
from cart.variants import changed
from datasets.base import DatasetError, Item, Pairs
from retrievers import item_embeddings, query_tokenizer
from retrievers.base import (
    Availability,
    Cost,
    Encoder,
    FloatArray,
    GalleryCaptions,
    IndexStats,
    IntArray,
    ItemMap,
    Ranking,
    Retriever,
    RetrieverSpec,
    Settings,
    check_depth,
)
from retrievers.captioners import choice
from retrievers.captioners.contract import Captioner, Source, captioned_by
from retrievers.captioners.neighbours import NeighboursAdapter
from retrievers.captioners.vectors import generated_for
from retrievers.controls.ceilings import Taught, ceilings
from retrievers.progress import Bars
from retrievers.variants import differences, named


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
        teacher = self._cart.config.teacher
        return generated_for(items, embeddings, self._captioner, self._encoder, teacher, most)

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
        return ItemMap(self._encoder.encode_items(items), self._cart.gallery[:, :-1])

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
        self._items, self._taught = {}, None


@dataclass(frozen=True)
class CartAdapter:
    """Builds CART over the towers that are named, or over the small towers trained here."""

    name: str = "cart"
    config: CartConfig = field(default_factory=CartConfig)

    @property
    def fields(self) -> Mapping[str, str | int | float | bool | None]:
        """Every value of the config by its dotted name."""
        return self.config.flat()

    def variant(self, changes: Mapping[str, str]) -> CartAdapter:
        """Raises cart.variants.BadChange."""
        config = changed(self.config, changes)
        own = differences(self.config.flat(), config.flat())
        return replace(self, name=named(self.name, own), config=config)

    def availability(self, settings: Settings) -> Availability:
        towers = item_embeddings.adapter(settings).availability(settings)
        parts = [towers]
        captions = choice.wanted(settings, self.config.captions)
        if captions is not None:
            parts.append(choice.captioner(settings, captions).availability())
        words = settings.checkpoint.get(query_tokenizer.ROLE)
        if words:
            parts.append(query_tokenizer.availability(words))
        return next((part for part in parts if not part.ready), towers)

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent where a named tower or captioner is not there."""
        towers = item_embeddings.adapter(settings).describe(settings)
        config = self._chosen(settings)
        captions = config.captions
        source = choice.captioner(settings, captions).describe() if captions else None
        spec = _spec(self.name, towers, config, source)
        roles = (choice.ROLE, query_tokenizer.ROLE)
        given = {role: settings.checkpoint[role] for role in roles if settings.checkpoint.get(role)}
        words = given.get(query_tokenizer.ROLE)
        read = {query_tokenizer.ROLE: query_tokenizer.fingerprint(words)} if words else {}
        return replace(
            spec, checkpoint={**spec.checkpoint, **given}, revision={**spec.revision, **read}
        )

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError, and DatasetError of a file of captions."""
        spec = self.describe(settings)
        bars = Bars()
        config = self._chosen(settings)
        captioner = choice.captioner(settings, config.captions).build() if config.captions else None
        cart = Cart(
            config,
            settings.seed,
            settings.device,
            checkpoints=settings.cache / "cart",
            monitor=bars.step,
            tokenizer=_tokenizer(settings),
            processes=settings.train_processes,
        )
        return Generative(spec, item_embeddings.encoder(settings), cart, captioner, bars)

    def _chosen(self, settings: Settings) -> CartConfig:
        """The config with what the settings name in place of captioner and tokenizer."""
        captions = choice.wanted(settings, self.config.captions)
        words = _tokenizer(settings)
        vocabulary = vocabulary_size(words) if words is not None else self.config.vocabulary
        return replace(self.config, captions=captions, vocabulary=vocabulary)

    def tiny(self, seed: int) -> Retriever:
        lender = NeighboursAdapter(CaptionConfig())
        spec = _spec(self.name, item_embeddings.tiny_spec(seed), TINY, lender.describe())
        return Generative(
            replace(spec, weights="random"),
            item_embeddings.tiny_encoder(seed),
            Cart(TINY, seed),
            lender.build(),
        )


def _tokenizer(settings: Settings) -> Tokenizer | None:
    """The one that is named, None where one is trained. Raises WeightsAbsent, CheckpointError."""
    source = settings.checkpoint.get(query_tokenizer.ROLE)
    return query_tokenizer.open_tokenizer(source) if source else None


def _of_width(width: int, learning_rate: float) -> CartAdapter:
    """Three and three layers as in the paper, at a width that its throughput rows have."""
    model = ModelConfig(width, 8, 4 * width, encoder_layers=3, decoder_layers=3)
    config = CartConfig(model=model)
    return CartAdapter(
        f"cart-{width}",
        replace(
            config,
            fit=replace(config.fit, learning_rate=learning_rate),
            absorb=replace(config.absorb, learning_rate=learning_rate),
        ),
    )


# Named in full, as --retriever retrievers.generative:CART_512, since training them takes longer
# on a processor than a run of everything should. PAPER is what the paper states.
CART_PAPER = CartAdapter("cart-paper", PAPER)
CART_256 = _of_width(256, 1e-3)
CART_512 = _of_width(512, 5e-4)

TINY = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=4, codebook_sizes=(4, 4), hidden=(8,), latent_dim=4, epochs=2
    ),
    model=ModelConfig(width=16, heads=2, feed_forward=16, encoder_layers=2, decoder_layers=1),
    fit=TrainConfig(epochs=1, least_steps=0),
    absorb=TrainConfig(epochs=1, least_steps=0),
    vocabulary=300,
)


def _spec(
    name: str, towers: RetrieverSpec, config: CartConfig, source: Source | None
) -> RetrieverSpec:
    """CART's spec over an encoder's: what decides the embeddings decides the identifiers.

    source  who captions the gallery, None where nobody does
    """
    spec = RetrieverSpec(
        name=name,
        paradigm="generative",
        modalities=towers.modalities,
        weights="trained here",
        licence=f"Apache-2.0; item embeddings: {towers.licence}",
        checkpoint=towers.checkpoint,
        revision=towers.revision,
        options={
            **item_embeddings.options(towers),
            **config.flat(),
            "transductive": source is not None,
        },
    )
    return spec if source is None else captioned_by(source, spec)
