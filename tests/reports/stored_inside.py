"""What is stored of the inside of a retriever, for the tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.inside.look import code_use
from bench.inside.record import Inside, MappedItems, QueryTree
from bench.inside.trees import query_tree
from bench.item_map import Points, cohesion
from datasets.base import Query
from retrievers.base import ItemMap
from tests.bench.inside_toys import beam_tree

TOLD = {
    "collision_ceiling": 0.91,
    "collision_rate": 0.06,
    "distinct_prefixes": 0.94,
    "perplexity/k": 20.5,
    "used_share/k": 0.75,
    "token_accuracy/k": 0.8,
    "token_accuracy/v1": 0.9,
    "token_accuracy/u": 1.0,
    "greedy_share/k": 0.8,
    "greedy_share/v1": 0.75,
    "greedy_share/u": 0.75,
    "certified/beam 10": 0.4,
    "exact_top_1/beam 10": 0.99,
    "exact_top_10/beam 10": 0.7,
    "certifying_work/beam 10": 3.5,
    "certified/beam 20": 0.6,
    "parameters": 1_234_567.0,
}
SIZES = (32, 32, 32)


def inside(
    items: int = 60, ids: Sequence[str] = (), texts: Sequence[str] = (), beam: int = 20
) -> Inside:
    """Items of a seeded draw, and the beams of three queries: right, later and not found."""
    rng = np.random.default_rng(items)
    names = [*ids, *(f"item-{row}" for row in range(len(ids), items))]
    prefixes = rng.integers(0, 12, (items, 3)) ** 2 // 5
    vectors = rng.normal(size=(items, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = Points(vectors, prefixes, rng.normal(size=(items, 2)).astype(np.float32), items)
    mapped = MappedItems(
        tuple(names),
        points.prefixes,
        points.plane,
        2 * items,
        (cohesion(points, 1), cohesion(points, 2)),
    )
    codes = code_use(ItemMap(vectors, prefixes, SIZES))
    return Inside(mapped, codes, tuple(_trees(rng, prefixes, names, texts, beam)))


def _trees(
    rng: np.random.Generator,
    prefixes: np.ndarray,
    names: Sequence[str],
    texts: Sequence[str],
    beam: int,
) -> list[QueryTree]:
    counters = [sum((prefixes[:row] == prefixes[row]).all(axis=1)) for row in range(len(prefixes))]
    identifiers = np.column_stack([prefixes, counters])
    found = []
    for number, rank in enumerate((1, 3, 0)):
        scores = rng.dirichlet(np.full(len(names), 0.2)) + 1e-9
        whole = beam_tree(scores, identifiers, beam)
        ended = whole.items[: whole.steps[-1].kept]
        never = np.setdiff1d(np.arange(len(names)), ended)
        right = int(ended[rank - 1]) if rank else int(never[0] if len(never) else ended[-1])
        text = texts[number % len(texts)] if texts else f"One crimson disc, query {number}."
        query = Query(f"q{number}", text, (names[right],))
        found.append(query_tree(whole, query, rank, names, 10))
    return found
