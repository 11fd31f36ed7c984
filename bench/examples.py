"""Queries to look at: a random sample of those that were answered and of those that were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.cells import Example, Hit
from bench.metrics import IntArray, Ranks
from bench.store import ResultStore
from bench.thumbnails import thumbnail
from datasets.base import Item, Query

PER_OUTCOME = 8
SHOWN = 5


def sample(ranks: Ranks, seed: int, per_outcome: int = PER_OUTCOME) -> IntArray:
    """Numbers of queries drawn at random: first those surely right at rank 1, then wrong ones.

    A query whose right item shares the top score with others is neither.
    """
    rng = np.random.default_rng([seed, 0xE7])
    right, wrong = np.flatnonzero(ranks.worst == 1), np.flatnonzero(ranks.best != 1)
    drawn = [
        np.sort(rng.choice(each, min(per_outcome, each.size), replace=False))
        for each in (right, wrong)
    ]
    return np.concatenate(drawn).astype(np.int64)


def examples(
    chosen: IntArray,
    queries: Sequence[Query],
    top: Sequence[Mapping[str, float]],
    ranks: Ranks,
    gallery: Mapping[str, Item],
    store: ResultStore,
) -> list[Example]:
    """The chosen queries with their right item and the first SHOWN places.

    top  a query's item id -> score, best first

    Raises MediaError where an item cannot be shown.
    """
    pictures: dict[str, str] = {}

    def hit(item: str, score: float, query: Query) -> Hit:
        if item not in pictures:
            pictures[item] = store.thumbnail(thumbnail(gallery[item]))
        return Hit(item, score, pictures[item], item in query.relevant)

    found = []
    for number in chosen.tolist():
        query, places = queries[number], top[number]
        answer = next((item for item in places if item in query.relevant), query.relevant[0])
        found.append(
            Example(
                query=query.id,
                text=query.text,
                rank=int(ranks.worst[number]),
                answer=hit(answer, places.get(answer, float("nan")), query),
                top=tuple(hit(item, score, query) for item, score in list(places.items())[:SHOWN]),
            )
        )
    return found
