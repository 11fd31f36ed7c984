"""CART by name: over the towers that are named, or over the small towers trained here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tokenizers import Tokenizer

from cart.cart import Cart
from cart.config import (
    CaptionConfig,
    CartConfig,
    IdentifierConfig,
    ModelConfig,
    TrainConfig,
)
from cart.presets import PAPER
from cart.tokenizer import vocabulary_size
from cart.variants import changed
from retrievers import item_embeddings, query_tokenizer
from retrievers.base import (
    Availability,
    Retriever,
    RetrieverSpec,
    Settings,
)
from retrievers.captioners import choice
from retrievers.captioners.contract import Source, captioned_by
from retrievers.captioners.neighbours import NeighboursAdapter
from retrievers.generative import Generative
from retrievers.progress import Bars
from retrievers.variants import differences, named


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
