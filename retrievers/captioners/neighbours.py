"""The captioner that needs no weights: training captions of the nearest training items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cart.captions import Captioned, Generated, NeighbourCaptioner, OfferingCaptioner
from cart.config import CaptionConfig
from datasets.base import Item, Pairs
from retrievers.base import Availability, FloatArray
from retrievers.captioners.contract import Captioner, Source

SOURCE = Source("neighbours")


class Neighbours:
    """Lends an item what was said of the training items whose embeddings are nearest to its own,
    or offers it what lies nearest to itself, as ``config.lending`` has it.

    It reads no media, so it serves every modality.
    """

    source = SOURCE
    remarks: Sequence[str] = ()

    def __init__(self, config: CaptionConfig) -> None:
        self._config = config
        self._lender: NeighbourCaptioner | OfferingCaptioner | None = None

    def fit(self, train: Pairs, captioned: Captioned) -> Mapping[str, float]:
        offered = self._config.lending == "offered" and captioned.caption_vectors is not None
        lender = OfferingCaptioner if offered else NeighbourCaptioner
        self._lender = lender(captioned, self._config)
        return {}

    def captions(self, items: Sequence[Item], embeddings: FloatArray) -> Generated:
        """Raises ValueError before ``fit``."""
        if self._lender is None:
            raise ValueError("fit the captioner before it is asked: it lends training captions")
        return self._lender.captions(embeddings)


@dataclass(frozen=True)
class NeighboursAdapter:
    config: CaptionConfig

    def availability(self) -> Availability:
        return Availability(True, "training captions are lent")

    def describe(self) -> Source:
        return SOURCE

    def build(self) -> Captioner:
        return Neighbours(self.config)
