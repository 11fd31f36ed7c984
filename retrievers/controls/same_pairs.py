"""``cart-dense``: a dual tower that learns from the very pairs that CART learns from.

It answers whether CART's figures come of the paradigm or of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cart.config import CartConfig
from cart.variants import changed
from retrievers import item_embeddings
from retrievers.base import Availability, Retriever, RetrieverSpec, Settings
from retrievers.controls.pair_taught import SamePairs
from retrievers.generative import TINY
from retrievers.variants import differences, named

# What of a CartConfig has a meaning here.
SHARED = ("model", "fit", "absorb", "captions", "vocabulary")


@dataclass(frozen=True)
class SamePairsAdapter:
    """Builds the control of the CART that has the same config, over the same towers."""

    name: str = "cart-dense"
    config: CartConfig = field(default_factory=CartConfig)

    @property
    def fields(self) -> Mapping[str, str | int | float | bool | None]:
        """Every value of the config by its dotted name."""
        return self.config.flat()

    def variant(self, changes: Mapping[str, str]) -> SamePairsAdapter:
        """Raises cart.variants.BadChange."""
        config = changed(self.config, changes)
        own = differences(self.config.flat(), config.flat())
        return replace(self, name=named(self.name, own), config=config)

    def availability(self, settings: Settings) -> Availability:
        return item_embeddings.adapter(settings).availability(settings)

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent where a named tower is not there."""
        towers = item_embeddings.adapter(settings).describe(settings)
        return _spec(self.name, towers, self.config)

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError."""
        spec, encoder = self.describe(settings), item_embeddings.encoder(settings)
        return SamePairs(spec, encoder, self.config, settings.seed, settings.device)

    def tiny(self, seed: int) -> Retriever:
        spec = replace(_spec(self.name, item_embeddings.tiny_spec(seed), TINY), weights="random")
        return SamePairs(spec, item_embeddings.tiny_encoder(seed), TINY, seed)


# Named in full, as --retriever retrievers.controls.same_pairs:ADAPTER: a control is asked for.
ADAPTER = SamePairsAdapter()


def _spec(name: str, towers: RetrieverSpec, config: CartConfig) -> RetrieverSpec:
    shared = {name: value for name, value in config.flat().items() if name.split(".")[0] in SHARED}
    return RetrieverSpec(
        name=name,
        paradigm="dual tower",
        modalities=towers.modalities,
        weights="trained here",
        licence=f"Apache-2.0; item embeddings: {towers.licence}",
        checkpoint=towers.checkpoint,
        revision=towers.revision,
        options={
            **item_embeddings.options(towers),
            **shared,
            "transductive": config.captions is not None,
        },
    )
