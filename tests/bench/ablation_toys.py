"""A retriever with settings to change, named in full: tests.bench.ablation_toys:TUNABLE."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from datasets.base import Item
from retrievers.base import Availability, ItemMap, RetrieverSpec, Settings
from retrievers.variants import differences, named
from tests.bench.toy import ToyRetriever, nothing

FIELDS: Mapping[str, int | str] = {
    "absorb.consistency": "decoder",
    "fit.consistency": "decoder",
    "fit.epochs": 4,
    "identifiers.latent_dim": 64,
    "model.coarse_gate": "sigmoid",
    "model.encoder_layers": 3,
    "model.fine_fusion": "true",
}
COLOURS = ("red", "green", "blue", "white")


class Tunable(ToyRetriever):
    """Knows its items by their words, of which a setting can make it forget some."""

    def item_map(self, items: Sequence[Item]) -> ItemMap:
        """Colours far apart, shapes of one colour near each other; the colour is the code."""
        colours = np.array([COLOURS.index(item.id.split("-")[0]) for item in items])
        noise = np.random.default_rng(0).normal(size=(len(items), 4))
        embeddings = (np.eye(4)[colours] + 0.1 * noise).astype(np.float32)
        return ItemMap(embeddings, np.stack([colours, np.arange(len(items))], axis=1))


def forgetful(fields: Mapping[str, int | str], query: str, item: str) -> float:
    """Words shared, fewer of them where codebooks are narrow; without fusion no colours."""
    shared = set(query.split()) & set(item.split("-"))
    if fields["model.coarse_gate"] == "off":
        shared -= set(COLOURS)
    most = 4 * int(fields["identifiers.latent_dim"])
    read = [word for word in shared if hashlib.sha256(word.encode()).digest()[0] < most]
    return float(len(read))


@dataclass(frozen=True)
class TunableAdapter:
    name: str = "tunable"
    fields: Mapping[str, int | str] = field(default_factory=lambda: FIELDS)

    def variant(self, changes: Mapping[str, str]) -> TunableAdapter:
        unknown = changes.keys() - FIELDS.keys()
        if unknown:
            raise ValueError(f"the toy has no field {', '.join(sorted(unknown))}.")
        new = {
            name: int(text) if isinstance(FIELDS[name], int) else text
            for name, text in changes.items()
        }
        fields = {**self.fields, **new}
        return replace(self, name=named(self.name, differences(self.fields, fields)), fields=fields)

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "")

    def describe(self, settings: Settings) -> RetrieverSpec:
        options = dict(self.fields)
        return RetrieverSpec(
            self.name, "generative", ("image",), "trained here", "MIT", options=options
        )

    def build(self, settings: Settings) -> Tunable:
        spec = self.describe(settings)
        return Tunable(spec, lambda query, item: forgetful(self.fields, query, item), nothing)

    def tiny(self, seed: int) -> Tunable:
        spec = replace(self.describe(Settings(seed, "cpu", Path())), weights="random")
        return Tunable(spec, lambda query, item: forgetful(self.fields, query, item), nothing)


TUNABLE = TunableAdapter()
