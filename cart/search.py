"""Queries by the batch: the beam over tokenized texts of any length."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cart.beam import Writer, beam_search
from cart.config import SearchConfig
from cart.prefix_tree import PrefixTree
from cart.tokenizer import pad

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

QUERIES_AT_ONCE = 128


@dataclass(frozen=True)
class Answer:
    """Rows of the gallery [queries, k], -1 where fewer were found; scores, -inf there.

    tokens_decoded  decoder positions that were computed
    seconds         phase -> seconds: "encode" and "decode" of the engine, "search" of the plain
                    beam
    """

    items: IntArray
    scores: FloatArray
    tokens_decoded: int
    seconds: Mapping[str, float] = field(default_factory=dict)


def search(
    model: Writer,
    tree: PrefixTree,
    tokens: Sequence[Sequence[int]],
    k: int,
    config: SearchConfig,
    device: str,
) -> Answer:
    """The k best rows of each query, which is given as its token ids."""
    clock = time.perf_counter()
    items = np.empty((len(tokens), k), dtype=np.int64)
    scores = np.empty((len(tokens), k), dtype=np.float32)
    decoded = 0
    # Alike lengths share a batch: less padding, and the answers do not depend on it.
    order = np.argsort([len(row) for row in tokens], kind="stable")
    for start in range(0, len(order), QUERIES_AT_ONCE):
        rows = order[start : start + QUERIES_AT_ONCE]
        ids, mask = pad([tokens[row] for row in rows], device)
        found = beam_search(model, tree, ids, mask, k, config.beam, config.renormalise)
        items[rows] = found.items.cpu().numpy()
        scores[rows] = found.scores.float().cpu().numpy()
        decoded += found.decoded
    return Answer(items, scores, decoded, {"search": time.perf_counter() - clock})
