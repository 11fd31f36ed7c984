"""Beams that are widened, and only for the queries whose answer is not certified."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from cart.beam import Found

# Searches the queries int64 [n], ascending, with a beam of that width. It may leave out prefixes
# that do not score higher than what is given of each query [n]: the k-th score found so far.
Again = Callable[[Tensor, int, Tensor], Found]

# A wide beam of all queries at once would take memory that a narrow one does not.
PREFIXES_AT_ONCE = 2**14


def widths(beam: int, widest: int) -> Iterator[int]:
    """Twice ``beam``, twice that and so on, at last ``widest``; none where that is no wider."""
    while beam < widest:
        beam = min(2 * beam, widest)
        yield beam


def widened(found: Found, beam: int, widest: int, again: Again) -> Found:
    """Search again what is not certified after a search with ``beam``, each time twice as wide,
    until all is or the beam is ``widest``."""
    for width in widths(beam, widest):
        queries = (~found.certified).nonzero().squeeze(1)
        if not len(queries):
            break
        for some in queries.split(max(1, PREFIXES_AT_ONCE // width)):
            found = _with(found, some, again(some, width, found.scores[some, -1]))
    return found


def _with(found: Found, queries: Tensor, wider: Found) -> Found:
    """``found`` with what a wider beam gave of ``queries`` int64 [n].

    The best of both are kept. An item found twice keeps its first score, so that a k-th score
    never falls below one that prefixes were left out for.
    """
    items, scores = found.items[queries], found.scores[queries]
    twice = (wider.items.unsqueeze(2) == items.unsqueeze(1)).any(dim=2)
    both = torch.cat([scores, wider.scores.masked_fill(twice, -torch.inf)], dim=1)
    best, order = both.topk(scores.shape[1], dim=1)
    chosen = torch.cat([items, wider.items], dim=1).gather(1, order)
    return Found(
        found.items.index_copy(0, queries, chosen.masked_fill(best == -torch.inf, -1)),
        found.scores.index_copy(0, queries, best),
        found.decoded + wider.decoded,
        found.let_go.index_copy(0, queries, wider.let_go),
        found.beams.index_copy(0, queries, wider.beams),
    )
