"""Labels from the towers that the identifiers were made with (knowledge distillation).

A caption that was borrowed for one item fits others of the gallery too, and a query that is
taught one of them alone is taught that the others are wrong. The towers can tell how well it fits
each: their opinion stands in the place of the one label. Distilling a dual tower into a
generative retriever by ranked lists is Li et al., "Distillation Enhanced Generative Retrieval"
(ACL 2024 Findings); here the distribution is cut along the prefix tree instead of being ranked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from cart.captions import Captioned, Generated
from cart.captions.neighbours import unit
from cart.config import TeacherConfig
from cart.targets import Candidates

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Similarities that are held at a time, 4 bytes each.
VALUES_AT_ONCE = 16_000_000
# Captions and items that the sharpness is found on.
CALIBRATED_ON = 2_000
# Where CLIP stops its own (Radford et al., 2021, section 2.5).
LARGEST_SHARPNESS = 100.0


@dataclass(frozen=True)
class Teacher:
    """The towers' opinion of which items a text may mean.

    sharpness  factor of the cosine in the softmax over items
    """

    config: TeacherConfig
    sharpness: float

    @staticmethod
    def of(config: TeacherConfig | None, pairs: Captioned) -> Teacher | None:
        """One that is as sure of itself as the human captions of ``pairs`` bear out, times
        ``config.sharpness``; none without a config, or where the captions have no vectors."""
        if config is None or pairs.caption_vectors is None or not len(pairs.captions):
            return None
        return Teacher(config, config.sharpness * calibrated(pairs))

    def labels(
        self, generated: Generated, owners: IntArray, items: FloatArray, identifiers: IntArray
    ) -> Candidates:
        """What each generated text is to be answered with.

        owners       [texts], the row of the item that each is for
        items        [items, dim]
        identifiers  [items, length], theirs

        Without vectors of the texts that is the owner. Else p(item | text) is in proportion to
        exp(sharpness * cosine) over the ``config.candidates`` best items. Before that an item's
        popularity, which is the mean of the same over all texts, is divided out to the power
        ``config.fairness``: else the items that lie near everything are the answer to most
        queries (hubs; the inverted softmax of Smith et al., ICLR 2017). Where the captioner saw
        its items the owner keeps ``config.trust`` of the weight.
        """
        if generated.vectors is None or not len(owners):
            return Candidates.sure(identifiers[owners])
        rows, weights = self._told(unit(generated.vectors), unit(items))
        if generated.seen:
            trust = np.float32(self.config.trust)
            rows = np.concatenate([rows, owners[:, None].astype(np.int32)], axis=1)
            kept = np.full((len(owners), 1), trust, dtype=np.float32)
            weights = np.concatenate([(1 - trust) * weights, kept], axis=1)
        return Candidates(identifiers, rows, weights)

    def _told(
        self, texts: FloatArray, items: FloatArray
    ) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """Candidates of each text and their weights [texts, candidates]."""
        most = min(self.config.candidates, len(items))
        popular = self.config.fairness * _popularity(texts, items, self.sharpness)
        rows = np.empty((len(texts), most), dtype=np.int32)
        weights = np.empty((len(texts), most), dtype=np.float32)
        for part in _blocks(len(texts), len(items)):
            scores = self.sharpness * (texts[part] @ items.T) - popular
            best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
            scores = np.take_along_axis(scores, best, axis=1)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            rows[part], weights[part] = best, shares / shares.sum(axis=1, keepdims=True)
        return rows, weights


def labels(
    teacher: Teacher | None,
    generated: Generated,
    owners: IntArray,
    items: FloatArray,
    identifiers: IntArray,
) -> Candidates:
    """``Teacher.labels``, or without a teacher the owners alone."""
    if teacher is None:
        return Candidates.sure(identifiers[owners])
    return teacher.labels(generated, owners, items, identifiers)


def calibrated(pairs: Captioned) -> float:
    """The sharpness under which each caption's own item is likeliest among the others.

    Found on the first items of ``pairs`` and as many captions of theirs, spread evenly. Raises
    ValueError where the captions have no vectors.
    """
    if pairs.caption_vectors is None:
        raise ValueError("captions without vectors tell nothing of how sure a teacher may be")
    rows = np.array(pairs.rows, dtype=np.int64)
    held = np.flatnonzero(rows < CALIBRATED_ON)
    held = held[:: max(1, math.ceil(len(held) / CALIBRATED_ON))]
    texts, items = unit(pairs.caption_vectors[held]), unit(pairs.embeddings[:CALIBRATED_ON])
    cosines = (texts @ items.T).astype(np.float64)
    own = cosines[np.arange(len(held)), rows[held]]

    def surprise(log_sharpness: float) -> float:
        sharpness = math.exp(log_sharpness)
        # A cosine is at most one, so no power is too large.
        rivals = np.log(np.exp(sharpness * (cosines - 1)).sum(axis=1)) + sharpness
        return float((rivals - sharpness * own).mean())

    bounds = (0.0, math.log(LARGEST_SHARPNESS))
    return math.exp(float(minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def _popularity(texts: FloatArray, items: FloatArray, sharpness: float) -> FloatArray:
    """log of the mean over texts of exp(sharpness * cosine) [items]."""
    total = np.full(len(items), -np.inf)
    for part in _blocks(len(texts), len(items)):
        powers = sharpness * (texts[part] @ items.T)
        most = powers.max(axis=0)
        total = np.logaddexp(total, most + np.log(np.exp(powers - most).sum(axis=0)))
    return (total - np.log(len(texts))).astype(np.float32)


def _blocks(texts: int, items: int) -> list[slice]:
    step = max(1, VALUES_AT_ONCE // items)
    return [slice(start, start + step) for start in range(0, texts, step)]
