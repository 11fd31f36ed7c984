"""Retrievers that name items by codes and show how: tests.bench.inside_toys:CODED, SHY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.base import Item
from retrievers.base import BeamStep, BeamTree, ItemMap
from tests.bench.toy import ToyAdapter, ToyRetriever

BEAM = 3


def beam_tree(scores: np.ndarray, identifiers: np.ndarray, beam: int) -> BeamTree:
    """A beam whose score of a prefix is the sum of those of its items, by plain lists.

    scores  [items] probabilities; identifiers [items, length]
    """
    live: set[tuple[int, ...]] = {()}
    steps: list[BeamStep] = []
    for level in range(identifiers.shape[1]):
        mass: dict[tuple[int, ...], float] = {}
        for score, row in zip(scores.tolist(), identifiers.tolist(), strict=True):
            if tuple(row[:level]) in live:
                prefix = tuple(row[: level + 1])
                mass[prefix] = mass.get(prefix, 0.0) + score
        ranked = sorted(mass, key=lambda prefix: -mass[prefix])
        live = set(ranked[:beam])
        logs = np.log([mass[prefix] for prefix in ranked]).astype(np.float32)
        steps.append(BeamStep(np.array(ranked), logs, min(beam, len(ranked))))
    rows = {tuple(row): number for number, row in enumerate(identifiers.tolist())}
    items = np.array([rows[tuple(prefix)] for prefix in steps[-1].prefixes.tolist()])
    return BeamTree(tuple(steps), items, identifiers)


def codes_of(gallery: Sequence[str]) -> np.ndarray:
    """[items, 2]: the length of an id in tens, and its place among those of one length."""
    seen: dict[int, int] = {}
    found = []
    for name in gallery:
        first = len(name) // 10
        found.append([first, seen.get(first, 0)])
        seen[first] = seen.get(first, 0) + 1
    return np.array(found)


@dataclass
class ToyOfCodes(ToyRetriever):
    def item_map(self, items: Sequence[Item]) -> ItemMap:
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(len(items), 4)).astype(np.float32)
        return ItemMap(vectors, codes_of(self.gallery)[:, :1], (16,))

    def explain(self, query: str, k: int) -> BeamTree:
        told = np.array([self.scorer(query, item) for item in self.gallery])
        shares = np.exp(told) / np.exp(told).sum()
        return beam_tree(shares, codes_of(self.gallery), max(k, BEAM))


@dataclass
class ToyThatWillNotShow(ToyOfCodes):
    def explain(self, query: str, k: int) -> BeamTree:
        raise RuntimeError("the toy keeps its tree to itself")


CODED = ToyAdapter("coded", make=ToyOfCodes)
SHY = ToyAdapter("shy", make=ToyThatWillNotShow)
