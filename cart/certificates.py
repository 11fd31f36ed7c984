"""How often a beam gives what the model itself ranks first, and what it costs to be sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cart.config import SearchConfig
from cart.engine import Engine
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import Answer

BoolArray = npt.NDArray[np.bool_]

BEAMS = (10, 50, 100)
DEPTH = 10
# Wide enough for any gallery of up to so many items.
WIDEST = 1000
# A figure that is a share needs no more.
QUERIES = 400
# Of two searches in fp32 of the same score.
ROUNDING = 1e-3


def certificate_figures(
    model: CartModel,
    tree: PrefixTree,
    tokens: Sequence[Sequence[int]],
    search: SearchConfig,
    device: str,
) -> Mapping[str, float]:
    """Of the ten best at beams of 10, 50, 100 and the configured one, on up to 400 of the queries,
    whose token ids ``tokens`` are.

    certified        share of queries whose answer is certified to be the model's own
    exact_top_1, 10  share of those that a beam widened up to 1000 decides whose best, and ten best,
                     are the model's own up to ties
    certifying_work  decoder positions with widening over those without

    Empty without queries.
    """
    if not tokens:
        return {}
    asked = [tokens[row] for row in np.unique(np.linspace(0, len(tokens) - 1, QUERIES).astype(int))]
    figures: dict[str, float] = {}
    truth: Answer | None = None
    for beam in sorted({*BEAMS, search.beam}):
        rule = replace(search, beam=beam, widest_beam=0)
        found = Engine(model, tree, rule, device).search(asked, DEPTH)
        sure = found
        if truth is None or not found.certified.all():
            rule = replace(rule, widest_beam=WIDEST)
            sure = Engine(model, tree, rule, device).search(asked, DEPTH)
        truth = truth or sure
        decided, at = truth.certified, f"beam {beam}"
        figures[f"certified/{at}"] = float(found.certified.mean())
        for depth in (1, DEPTH):
            if decided.any():
                right = _as_good(found, truth, depth)[decided]
                figures[f"exact_top_{depth}/{at}"] = float(right.mean())
        figures[f"certifying_work/{at}"] = sure.tokens_decoded / max(1, found.tokens_decoded)
    return figures


def _as_good(found: Answer, truth: Answer, depth: int) -> BoolArray:
    """Whether the best ``depth`` of each query score as the true ones do, one by one."""
    scores, true = found.scores[:, :depth], truth.scores[:, :depth]
    good: BoolArray = ((scores == true) | (scores >= true - ROUNDING)).all(axis=1)
    return good
