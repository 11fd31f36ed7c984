"""Labels from the towers that the identifiers were made with (knowledge distillation).

A caption that was borrowed for one item fits others of the gallery too, and a query that is
taught one of them alone is taught that the others are wrong. The towers can tell how well it fits
each: their opinion stands in the place of the one label. Distilling a dual tower into a
generative retriever by ranked lists is Li et al., "Distillation Enhanced Generative Retrieval"
(ACL 2024 Findings); here the distribution is cut along the prefix tree instead of being ranked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cart.captions import Generated
from cart.config import TeacherConfig
from cart.targets import Candidates

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Similarities that are held at a time, 4 bytes each.
VALUES_AT_ONCE = 16_000_000


def labels(
    generated: Generated,
    owners: IntArray,
    items: FloatArray,
    identifiers: IntArray,
    config: TeacherConfig | None,
) -> Candidates:
    """What each generated text is to be answered with: its owner, or what a teacher tells.

    Without a config, or without vectors of the texts, there is no teacher. The arrays are those
    of ``told_by_teacher``.
    """
    if config is None or generated.vectors is None or not len(owners):
        return Candidates.sure(identifiers[owners])
    return told_by_teacher(generated.vectors, owners, items, identifiers, config)


def told_by_teacher(
    texts: FloatArray,
    owners: IntArray,
    items: FloatArray,
    identifiers: IntArray,
    config: TeacherConfig,
) -> Candidates:
    """The items that each text may mean, by the cosine of both.

    texts        [texts, dim]
    owners       [texts], the row of the item that each was generated for, which keeps
                 ``config.trust`` of the weight
    items        [items, dim]
    identifiers  [items, length], theirs

    p(item | text) is in proportion to exp(sharpness * cosine) over the ``config.candidates`` best
    items. Before that an item's popularity, which is the mean of the same over all texts, is
    divided out to the power ``config.fairness``: else the items that lie near everything are the
    answer to most queries (hubs; the inverted softmax of Smith et al., ICLR 2017).
    """
    texts, items = _unit(texts), _unit(items)
    most = min(config.candidates, len(items))
    popular = config.fairness * _popularity(texts, items, config.sharpness)
    rows = np.empty((len(texts), most), dtype=np.int32)
    weights = np.empty((len(texts), most), dtype=np.float32)
    for part in _blocks(len(texts), len(items)):
        scores = config.sharpness * (texts[part] @ items.T) - popular
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        rows[part] = best
        scores = np.take_along_axis(scores, best, axis=1)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights[part] = shares / shares.sum(axis=1, keepdims=True)
    if config.trust:
        rows = np.concatenate([rows, owners[:, None].astype(np.int32)], axis=1)
        kept = np.full((len(texts), 1), config.trust, dtype=np.float32)
        weights = np.concatenate([(1 - config.trust) * weights, kept], axis=1)
    return Candidates(identifiers, rows, weights)


def _popularity(texts: FloatArray, items: FloatArray, sharpness: float) -> FloatArray:
    """log of the mean over texts of exp(sharpness * cosine) [items]."""
    total = np.zeros(len(items))
    for part in _blocks(len(texts), len(items)):
        # A cosine is at most one, so no power is too large.
        total += np.exp(sharpness * (texts[part] @ items.T - 1), dtype=np.float64).sum(axis=0)
    return (np.log(total / max(1, len(texts))) + sharpness).astype(np.float32)


def _blocks(texts: int, items: int) -> list[slice]:
    step = max(1, VALUES_AT_ONCE // items)
    return [slice(start, start + step) for start in range(0, texts, step)]


def _unit(x: FloatArray) -> FloatArray:
    unit: FloatArray = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return unit
