"""The towers from whose item embeddings a generative retriever makes its identifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cart.captions import Captioned
from datasets.base import Item, Pairs
from retrievers.base import (
    Adapter,
    Availability,
    Encoder,
    FloatArray,
    Retriever,
    RetrieverSpec,
    Settings,
    WeightsAbsent,
)
from retrievers.embedding_cache import CachedTower, text_key
from retrievers.weights.releases import DEFAULT

# --checkpoint cart.encoder=imagebind:imagebind_huge.pth
ROLE = "encoder"


@dataclass(frozen=True)
class NamedSystem:
    """The dual tower that ``encoder=NAME:WEIGHTS`` names, told apart by that text."""

    adapter: Adapter
    source: str
    weights: str

    def availability(self, settings: Settings) -> Availability:
        return self.adapter.availability(self._own(settings))

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent."""
        spec = self.adapter.describe(self._own(settings))
        revision = ", ".join(spec.revision.values())
        return replace(spec, checkpoint={ROLE: self.source}, revision={ROLE: revision})

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError."""
        return self.adapter.build(self._own(settings))

    def tiny(self, seed: int) -> Retriever:
        return self.adapter.tiny(seed)

    def _own(self, settings: Settings) -> Settings:
        return replace(settings, checkpoint={"model": self.weights})


@dataclass(frozen=True)
class _TextsOf:
    """An encoder as a tower of texts."""

    encoder: Encoder

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    def encode(self, texts: Sequence[str], /) -> FloatArray:
        return self.encoder.encode_texts(texts)


class KeepsCaptions:
    """An encoder whose vectors of texts are kept on disk: a generative retriever asks it for
    those of captions, which come again, and of queries only once its rankings are taken.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self._texts = CachedTower(
            _TextsOf(encoder), text_key, folder, "encoding captions", batch=2048
        )

    @property
    def dim(self) -> int:
        return self._encoder.dim

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return self._encoder.fit(train, validation)

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]"""
        return self._encoder.encode_items(items)

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]"""
        return self._texts.encode(texts) if texts else self._encoder.encode_texts(texts)

    def save(self, folder: Path) -> None:
        self._encoder.save(folder)

    def load(self, folder: Path) -> None:
        self._encoder.load(folder)


def adapter(settings: Settings) -> Adapter:
    """Of the towers that the settings name, or else of the small ones trained here.

    Raises WeightsAbsent where a system is named that is no dual tower.
    """
    source = settings.checkpoint.get(ROLE)
    if source:
        return _named_system(source)
    if _named(settings):
        from retrievers.encoders.aligned import AlignedAdapter

        return AlignedAdapter()
    from retrievers.encoders.tiny.dual import TinyDualAdapter

    return TinyDualAdapter()


def encoder(settings: Settings) -> Encoder:
    """The towers themselves. Raises WeightsAbsent, CheckpointError."""
    if settings.checkpoint.get(ROLE):
        from retrievers.dual_tower import DualTower

        built = adapter(settings).build(settings)
        if not isinstance(built, DualTower):
            raise WeightsAbsent(f"{built.spec.name} is no plain dual tower: it has no embeddings.")
        return KeepsCaptions(built.encoder, settings.cache / "embeddings")
    if _named(settings):
        from retrievers.encoders.aligned import AlignedEncoder

        return AlignedEncoder.from_settings(settings)
    from retrievers.encoders.tiny.encoder import TinyDualEncoder

    return TinyDualEncoder.from_settings(settings)


def tiny_encoder(seed: int) -> Encoder:
    """Small towers for the conformance suite."""
    from retrievers.encoders.tiny.dual import tiny_config
    from retrievers.encoders.tiny.encoder import TinyDualEncoder

    return TinyDualEncoder(tiny_config(), seed, "cpu", cache=None)


def tiny_spec(seed: int) -> RetrieverSpec:
    """Of the towers of ``tiny_encoder``."""
    from retrievers.encoders.tiny.dual import TinyDualAdapter

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


def _named_system(source: str) -> NamedSystem:
    from retrievers import registry

    name, _, weights = source.partition(":")
    known = [one for one in registry.names() if "model" in registry.entry(one).checkpoint_roles]
    if name not in known:
        raise WeightsAbsent(f"encoder={source}: write NAME:WEIGHTS with one of {', '.join(known)}.")
    return NamedSystem(registry.adapter(name), source, weights or DEFAULT)


def _named(settings: Settings) -> bool:
    return any(settings.checkpoint.get(role) for role in ("image", "text"))
