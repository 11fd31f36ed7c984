"""The towers from whose item embeddings a generative retriever makes its identifiers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cart.captions import Captioned
from datasets.base import Pairs
from retrievers.base import Adapter, Encoder, FloatArray, RetrieverSpec, Settings


def adapter(settings: Settings) -> Adapter:
    """Of the towers that the settings name, or else of the small ones trained here."""
    if _named(settings):
        from retrievers.encoders.aligned import AlignedAdapter

        return AlignedAdapter()
    from retrievers.encoders.tiny_dual import TinyDualAdapter

    return TinyDualAdapter()


def encoder(settings: Settings) -> Encoder:
    """The towers themselves. Raises WeightsAbsent, CheckpointError."""
    if _named(settings):
        from retrievers.encoders.aligned import AlignedEncoder

        return AlignedEncoder.from_settings(settings)
    from retrievers.encoders.tiny_encoder import TinyDualEncoder

    return TinyDualEncoder.from_settings(settings)


def tiny_encoder(seed: int) -> Encoder:
    """Small towers for the conformance suite."""
    from retrievers.encoders.tiny_dual import tiny_config
    from retrievers.encoders.tiny_encoder import TinyDualEncoder

    return TinyDualEncoder(tiny_config(), seed, "cpu", cache=None)


def tiny_spec(seed: int) -> RetrieverSpec:
    """Of the towers of ``tiny_encoder``."""
    from retrievers.encoders.tiny_dual import TinyDualAdapter

    return TinyDualAdapter().tiny(seed).spec


def options(towers: RetrieverSpec) -> Mapping[str, str | int | float | bool | None]:
    """What decides the embeddings, to be told among what decides the identifiers."""
    of_encoder = {f"encoder.{name}": value for name, value in towers.options.items()}
    return {"encoder": towers.name, **of_encoder}


def captioned(towers: Encoder, pairs: Pairs) -> Captioned:
    """Pairs as ``cart`` takes them."""
    if not pairs.items:
        empty: FloatArray = np.zeros((0, towers.dim), np.float32)
        return Captioned(empty, (), (), empty)
    return Captioned(
        towers.encode_items(pairs.items),
        pairs.captions,
        pairs.rows,
        towers.encode_texts(pairs.captions),
    )


def _named(settings: Settings) -> bool:
    return any(settings.checkpoint.get(role) for role in ("image", "text"))
