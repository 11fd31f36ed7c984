"""A system that nothing can be run of: no weights were ever released."""

from __future__ import annotations

from dataclasses import dataclass

from retrievers.base import Availability, Retriever, RetrieverSpec, Settings, WeightsAbsent
from retrievers.entry import Entry


@dataclass(frozen=True)
class PublishedOnly:
    """The adapter of a row that has published figures, and else what a user imports."""

    entry: Entry

    def availability(self, settings: Settings) -> Availability:
        return Availability(False, self._sentence)

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent."""
        raise WeightsAbsent(self._sentence)

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent."""
        raise WeightsAbsent(self._sentence)

    def tiny(self, seed: int) -> Retriever:
        """Raises WeightsAbsent."""
        raise WeightsAbsent(self._sentence)

    @property
    def _sentence(self) -> str:
        return (
            "Published figures only: no weights were released. Vectors or scores of your own are "
            f"measured with --imported {self.entry.name}=FOLDER."
        )
