"""GRACE's three kinds of identifiers, each a retriever of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.config import ModelConfig, TrainConfig
from retrievers import item_embeddings
from retrievers.base import Availability, Retriever, RetrieverSpec, Settings
from retrievers.captioners.contract import captioned_by
from retrievers.captioners.neighbours import SOURCE
from retrievers.grace.config import GraceConfig
from retrievers.grace.retriever import Grace
from retrievers.grace.schemes import Atomic, Scheme, Semantic, Structured, options


@dataclass(frozen=True)
class GraceAdapter:
    """Builds GRACE over the towers that are named, or over the small towers trained here."""

    scheme: Scheme
    config: GraceConfig
    tiny_scheme: Scheme

    def availability(self, settings: Settings) -> Availability:
        return item_embeddings.adapter(settings).availability(settings)

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent where a named tower is not there."""
        towers = item_embeddings.adapter(settings).describe(settings)
        return _spec(towers, self.scheme, self.config)

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError."""
        return Grace(
            self.describe(settings),
            item_embeddings.encoder(settings),
            self.scheme,
            self.config,
            settings.seed,
            settings.device,
        )

    def tiny(self, seed: int) -> Retriever:
        spec = _spec(item_embeddings.tiny_spec(seed), self.tiny_scheme, TINY)
        encoder = item_embeddings.tiny_encoder(seed)
        return Grace(replace(spec, weights="random"), encoder, self.tiny_scheme, TINY, seed)


TINY = GraceConfig(
    model=ModelConfig(
        width=16,
        heads=2,
        feed_forward=16,
        encoder_layers=1,
        decoder_layers=1,
        coarse_gate="off",
        fine_fusion=False,
    ),
    train=TrainConfig(epochs=1, least_steps=0),
    memorised=4,
    vocabulary=300,
)

SEMANTIC = GraceAdapter(Semantic(), GraceConfig(), Semantic(longest=6))
STRUCTURED = GraceAdapter(Structured(), GraceConfig(), Structured(branches=3, leaf=3, restarts=1))
ATOMIC = GraceAdapter(Atomic(), GraceConfig(), Atomic())


def _spec(towers: RetrieverSpec, scheme: Scheme, config: GraceConfig) -> RetrieverSpec:
    """What decides the embeddings decides the identifiers, so their options are told too."""
    spec = RetrieverSpec(
        name=f"grace-{scheme.name}",
        paradigm="generative",
        # As published: GRACE is a system of images.
        modalities=("image",),
        weights="trained here",
        licence=f"Apache-2.0; item embeddings: {towers.licence}",
        checkpoint=towers.checkpoint,
        revision=towers.revision,
        options={
            **item_embeddings.options(towers),
            **options(scheme),
            **config.flat(),
        },
    )
    return captioned_by(SOURCE, spec)
