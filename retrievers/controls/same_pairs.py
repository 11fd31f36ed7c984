"""``cart-dense``: a dual tower that learns from the very pairs that CART learns from.

It answers whether CART's figures come of the paradigm or of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cart.config import CaptionConfig
from retrievers import item_embeddings
from retrievers.base import Availability, Retriever, RetrieverSpec, Settings
from retrievers.captioners import choice
from retrievers.captioners.neighbours import NeighboursAdapter
from retrievers.cart import TINY, CartAdapter
from retrievers.controls.pair_taught import SamePairs

# What of CART's settings has no meaning where no identifier is written.
UNUSED = ("identifiers", "search", "adapt", "rehearsal")


@dataclass(frozen=True)
class SamePairsAdapter:
    """Builds the control of ``cart``: its config, its towers and its captioner."""

    cart: CartAdapter

    @property
    def fields(self) -> Mapping[str, str | int | float | bool | None]:
        """Every value of the config by its dotted name."""
        return self.cart.fields

    def variant(self, changes: Mapping[str, str]) -> SamePairsAdapter:
        """Raises cart.variants.BadChange."""
        return SamePairsAdapter(self.cart.variant(changes))

    def availability(self, settings: Settings) -> Availability:
        return self.cart.availability(settings)

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent where a named tower or captioner is not there."""
        return _of(self.cart.describe(settings))

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError, and DatasetError of a file of captions."""
        captions = choice.wanted(settings, self.cart.config.captions)
        return SamePairs(
            self.describe(settings),
            item_embeddings.encoder(settings),
            choice.captioner(settings, captions).build() if captions else None,
            self.cart.config,
            settings.seed,
            settings.device,
        )

    def tiny(self, seed: int) -> Retriever:
        return SamePairs(
            _of(self.cart.tiny(seed).spec),
            item_embeddings.tiny_encoder(seed),
            NeighboursAdapter(CaptionConfig()).build(),
            TINY,
            seed,
        )


ADAPTER = SamePairsAdapter(CartAdapter("cart-dense"))


def _of(cart: RetrieverSpec) -> RetrieverSpec:
    """The control's spec, from that of the CART that it is held against."""
    options = {
        name: value for name, value in cart.options.items() if name.split(".")[0] not in UNUSED
    }
    return replace(cart, paradigm="dual tower", options=options)
