"""A retriever in its tiny form with random weights, to look at the whole way it goes."""

from __future__ import annotations

from dataclasses import dataclass

from retrievers.base import Adapter, Availability, Retriever, RetrieverSpec, Settings

# What stands behind a retriever's name where its tiny form is meant: clip@untrained.
MARK = "@untrained"


@dataclass(frozen=True)
class Untrained:
    """Builds the tiny form of another adapter; what it finds is chance."""

    adapter: Adapter

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "Random weights: what it finds is chance.")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return self.adapter.tiny(settings.seed).spec

    def build(self, settings: Settings) -> Retriever:
        return self.adapter.tiny(settings.seed)

    def tiny(self, seed: int) -> Retriever:
        return self.adapter.tiny(seed)
