"""Queries by the batch: the beam over tokenized texts of any length."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cart.beam import Found, Writer, search_encoded
from cart.config import SearchConfig
from cart.model import Encoded
from cart.prefix_tree import PrefixTree
from cart.tokenizer import pad
from cart.widening import widened

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

QUERIES_AT_ONCE = 128


@dataclass(frozen=True)
class Answer:
    """Rows of the gallery [queries, k], -1 where fewer were found; scores, -inf there.

    tokens_decoded  decoder positions that were computed
    certified       [queries], these are the model's own k best up to ties (``cart.beam``)
    beams           [queries], how wide the beam was at last
    seconds         phase -> seconds: "encode" and "decode" of the engine, "search" of the plain
                    beam
    """

    items: IntArray
    scores: FloatArray
    tokens_decoded: int
    certified: BoolArray
    beams: IntArray
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
    certified = np.empty(len(tokens), dtype=np.bool_)
    beams = np.empty(len(tokens), dtype=np.int64)
    decoded = 0
    # Alike lengths share a batch: less padding, and the answers do not depend on it.
    order = np.argsort([len(row) for row in tokens], kind="stable")
    for start in range(0, len(order), QUERIES_AT_ONCE):
        rows = order[start : start + QUERIES_AT_ONCE]
        ids, mask = pad([tokens[row] for row in rows], device)
        found = _certified(model, tree, ids, mask, k, config)
        items[rows] = found.items.cpu().numpy()
        scores[rows] = found.scores.float().cpu().numpy()
        certified[rows] = found.certified.cpu().numpy()
        beams[rows] = found.beams.cpu().numpy()
        decoded += found.decoded
    seconds = {"search": time.perf_counter() - clock}
    return Answer(items, scores, decoded, certified, beams, seconds)


@torch.inference_mode()
def _certified(
    model: Writer, tree: PrefixTree, ids: Tensor, mask: Tensor, k: int, config: SearchConfig
) -> Found:
    """The beam over queries that are encoded once, however often it is widened."""
    encoded = model.encode(ids, mask)

    def searched(part: Encoded, beam: int) -> Found:
        return search_encoded(model, tree, part, k, beam, config.renormalise)

    return widened(
        searched(encoded, config.beam),
        max(config.beam, k),
        config.widest_beam,
        lambda queries, beam, _: searched(encoded.some(queries), beam),
    )
