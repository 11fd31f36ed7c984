"""What a page shows of a result by itself: some queries, the items that they met, their media.

A cell's rankings are in its ranks. Here is what a reader looks at beside them: which queries were
drawn, their right items, and of each item a picture, what can be played of it, and the identifier
that the retriever writes for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.files import json_bytes
from bench.item_media import ItemMedia, Problem, media_of
from bench.store import ResultStore
from datasets.base import Dataset, Item, Query
from retrievers.base import Named, Retriever

ATTACHMENT = "looks.json"
DRAWN = 60
# A query may be answered by thousands of items; so many of them are shown.
ANSWERS_SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """An item as a page may show it: its media, and the codes of its identifier, if it has one."""

    media: ItemMedia
    identifier: tuple[int, ...] = ()


@dataclass(frozen=True)
class Looks:
    """What can be looked at of one cell.

    queries  id -> ids of all right items, in the order in which they were drawn
    items    id -> what it looks like: the top of each drawn query's ranking and right items
    """

    queries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    items: Mapping[str, Seen] = field(default_factory=dict)


def drawn(dataset: str, protocol: str, queries: Iterable[str], most: int = DRAWN) -> list[str]:
    """The ids of ``most`` queries, or of all, at random but the same for every retriever and seed.

    The queries with the smallest keyed hashes of their ids: in whatever order they come, nobody
    picked them, and one that is added or left out moves one other at most.
    """
    key = hashlib.blake2b(json.dumps([dataset, protocol]).encode(), digest_size=32).digest()

    def place(query: str) -> bytes:
        return hashlib.blake2b(query.encode("utf-8", "surrogatepass"), key=key).digest()

    return sorted(set(queries), key=place)[:most]


def looks(
    dataset: Dataset,
    retriever: Retriever,
    gallery: Sequence[Item],
    top: Mapping[str, Sequence[str]],
    store: ResultStore,
) -> tuple[Looks, tuple[str, ...]]:
    """What can be looked at of a finished measurement, and a note where something cannot be.

    gallery  the one that the retriever searched last: it knows the identifiers of no other
    top      a query's id -> the ids of what it found, best first

    Media are made where the store does not hold them yet.
    """
    asked: dict[str, Query] = {query.id: query for query in dataset.queries}
    queries = {one: asked[one].relevant for one in drawn(dataset.name, dataset.protocol, asked)}
    met = dict.fromkeys(
        item
        for query, relevant in queries.items()
        for item in (*top[query], *relevant[:ANSWERS_SHOWN])
    )
    known = {item.id: item for item in dataset.searched}
    items = [known[one] for one in met]
    made = {item.id: media_of(item, store) for item in items}
    problems = [problem for _, problem in made.values() if problem is not None]
    identifiers, unnamed = _identifiers(retriever, [item for item in gallery if item.id in met])
    seen = {item.id: Seen(made[item.id][0], identifiers.get(item.id, ())) for item in items}
    return Looks(queries, seen), (*_note(problems, len(items)), *unnamed)


def _note(problems: Sequence[Problem], items: int) -> tuple[str, ...]:
    """What cannot be shown of an item does not undo the measurement."""
    if not problems:
        return ()
    return (f"{len(problems):,} of {items:,} items to look at cannot be shown: {problems[0]}",)


def _identifiers(
    retriever: Retriever, items: Sequence[Item]
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    if not isinstance(retriever, Named):
        return {}, ()
    try:
        codes = retriever.identifiers(items)
    except ValueError as problem:
        return {}, (f"The identifiers are left out: {problem}",)
    rows = (row[row >= 0].tolist() for row in codes)
    return {item.id: tuple(row) for item, row in zip(items, rows, strict=True)}, ()


def looks_to_json(shown: Looks) -> bytes:
    return json_bytes(asdict(shown))


def looks_from_json(content: bytes) -> Looks:
    """Raises ValueError, KeyError or TypeError where it is none."""
    found: dict[str, Any] = json.loads(content)
    return Looks(
        {query: tuple(relevant) for query, relevant in found["queries"].items()},
        {
            item: Seen(ItemMedia(**seen["media"]), tuple(seen["identifier"]))
            for item, seen in found["items"].items()
        },
    )
