"""BLIP-2 with every candidate for every text, measured on a part of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from datasets.candidates import CandidateSet
from retrievers.base import Cost, FloatArray, Ranking, check_depth, unfilled
from retrievers.serving.contract import Answered, Built, Needs, Place, Say
from retrievers.serving.qformer_pairs import (
    RELEASED,
    TEXTS_AT_ONCE,
    PairShape,
    QFormerPairs,
    alike,
)


@dataclass(frozen=True)
class ScanShape:
    """What decides the speed of a scan.

    measured  candidates that every text is really scored with, the first of the gallery
    """

    pairs: PairShape = RELEASED
    measured: int = 1


@dataclass(frozen=True)
class ScanOf:
    """Makes the row of a shape."""

    shape: ScanShape

    def __call__(self, place: Place) -> ServedScan:
        """Raises CannotServe."""
        return ServedScan(self.shape, place)

    def needs(self, place: Place, candidates: int) -> Needs:
        measured = self.shape.measured
        return self.shape.pairs.needs(place, pairs=measured, items=measured / TEXTS_AT_ONCE)


Blip2Scan = ScanOf(ScanShape())


class ServedScan:
    """A batch of texts with one item after another.

    All texts of a batch read the same item, so its keys and values are computed once for them:
    a scan can do that, where LAVIS, which scores a short list, computes them for every pair.
    """

    def __init__(self, shape: ScanShape, place: Place) -> None:
        torch.set_num_threads(place.threads)
        self._shape = shape
        self._pairs = QFormerPairs(shape.pairs, place)
        _share_item(self._pairs.network)
        self._count = 0

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        return {
            **self._pairs.told,
            "order": "item by item, whose keys and values serve the texts of a batch",
            "measured": f"{self._shape.measured} of the candidates with every text",
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """The features of a gallery take ``gallery_bytes``; a few stand for them here."""
        self._count = candidates.count
        return Built(
            seconds={},
            gallery_bytes=candidates.count * self._pairs.bytes_an_item,
            model_bytes=self._pairs.bytes,
            facts={"features held here": self._pairs.held},
        )

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Ranks what was scored; -1 behind it. Raises ValueError when k < 1 or when nothing was
        built."""
        check_depth(k)
        measured = self._measured()
        clock = time.perf_counter()
        tokens = self._pairs.tokens(texts)
        tokenised = time.perf_counter()
        scores = np.stack([self._with_item(row, tokens) for row in range(measured)], axis=1)
        scored = time.perf_counter()
        return Answered(
            _ranked(scores, k),
            {"tokenise": tokenised - clock, "score": scored - tokenised},
            part=measured / self._count,
        )

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """The same pairs, one by one."""
        check_depth(k)
        pairs = [[self._pair(text, row) for row in range(self._measured())] for text in texts]
        return _ranked(np.array(pairs, np.float32), k)

    def _measured(self) -> int:
        if not self._count:
            raise ValueError("blip2:scan has no gallery: call build first")
        return min(self._shape.measured, self._count)

    def _with_item(self, row: int, tokens: Tensor) -> FloatArray:
        """Scores [texts] of one item with tokens [texts, length]."""
        features = self._pairs.of_item(row)
        scores = np.empty(len(tokens), np.float32)
        for part, asked in alike(tokens):
            shared = features.expand(len(part), *features.shape)
            scores[part.cpu().numpy()] = self._pairs.scores(shared, asked)
        return scores

    def _pair(self, text: str, row: int) -> float:
        features, tokens = self._pairs.of_item(row), self._pairs.tokens([text])
        return float(self._pairs.scores(features[None], tokens)[0])


class _OnceForAll(nn.Module):
    """A projection of features [pairs, places, width] that are the same in every pair."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        once: Tensor = self.layer(features[:1])
        return once.expand(len(features), -1, -1)


def _share_item(network: nn.Module) -> None:
    """From now on a batch of pairs is of one item."""
    for name, module in list(network.named_modules()):
        if name.endswith("crossattention.attention"):
            for projection in ("key", "value"):
                setattr(module, projection, _OnceForAll(getattr(module, projection)))


def _ranked(scores: FloatArray, k: int) -> Ranking:
    """The best k of scores [texts, candidates], the lower row first where they are equal."""
    ids, best = unfilled(len(scores), k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    ids[:, : order.shape[1]] = order
    best[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
    return Ranking(ids, best, Cost(pairs_scored=scores.size))
