"""The attachment of a cell that shows the inside of its retriever, as JSON and back.

It is of one gallery, the last that was searched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.files import compact_json_bytes
from bench.item_map import Cohesion, FloatArray, IntArray

NAME = "inside.json"
SCHEMA = 1


class Unreadable(Exception):
    """An attachment that is not what this program writes; the message says how."""


@dataclass(frozen=True)
class MappedItems:
    """Items of a gallery on a plane.

    ids        of the items drawn
    prefixes   [items, positions] their codes
    plane      [items, 2], by t-SNE of their embeddings
    gallery    how many items there are, of which these were drawn
    distances  one a depth of prefix
    """

    ids: tuple[str, ...]
    prefixes: IntArray
    plane: FloatArray
    gallery: int
    distances: tuple[Cohesion, ...]


@dataclass(frozen=True)
class CodeUse:
    """How the codes of one position are used.

    size   how many there are to choose from, 0 where that was not told
    items  how many items have each code that is in use, the commonest first
    """

    size: int
    items: tuple[int, ...]


@dataclass(frozen=True)
class Branch:
    """One prefix that a step of the beam weighed.

    step    from 0
    code    its last token, -1 behind the end of a short identifier
    parent  the branch that it extends, by its place among the tree's branches; -1 at step 0
    score   log-probability of the whole prefix
    kept    whether the beam had room for it
    right   whether the identifier of a right item begins so
    item    the item whose identifier it is, "" before the last step
    """

    step: int
    code: int
    parent: int
    score: float
    kept: bool
    right: bool
    item: str = ""


@dataclass(frozen=True)
class StepSize:
    """How many prefixes a step weighed, and how many of them the beam kept."""

    weighed: int
    kept: int


@dataclass(frozen=True)
class RightItem:
    """One that answers the query; its whole identifier, -1 behind the end of a short one."""

    id: str
    identifier: tuple[int, ...]


@dataclass(frozen=True)
class QueryTree:
    """How the beam went for one query.

    rank      of the first right item, 0 where it is not among the first ``k``
    steps     the size of each, of which ``branches`` are some
    branches  of each step the likeliest kept ones, those that lead to the first ``k`` items, the
              likeliest that were let go, and all that begin a right identifier; step by step,
              kept ones first, the likeliest first
    """

    query: str
    text: str
    rank: int
    k: int
    right: tuple[RightItem, ...]
    steps: tuple[StepSize, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Inside:
    """Empty parts are those that the retriever cannot show; ``remarks`` say what is missing."""

    items: MappedItems | None = None
    codes: tuple[CodeUse, ...] = ()
    trees: tuple[QueryTree, ...] = ()
    remarks: tuple[str, ...] = ()


def to_bytes(inside: Inside) -> bytes:
    """One line of JSON; what is no number is null."""
    found = {
        "schema": SCHEMA,
        "items": None if inside.items is None else _items_to_json(inside.items),
        "codes": [asdict(one) for one in inside.codes],
        "trees": [asdict(one) for one in inside.trees],
        "remarks": inside.remarks,
    }
    return compact_json_bytes(found)


def from_bytes(content: bytes) -> Inside:
    """Raises Unreadable."""
    try:
        found = json.loads(content)
        if found["schema"] != SCHEMA:
            raise Unreadable(f"its schema is {found['schema']}, this program reads {SCHEMA}")
        return Inside(
            None if found["items"] is None else _items_from_json(found["items"]),
            tuple(CodeUse(int(one["size"]), tuple(one["items"])) for one in found["codes"]),
            tuple(_tree_from_json(one) for one in found["trees"]),
            tuple(map(str, found["remarks"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Unreadable(f"{type(problem).__name__}: {problem}") from problem


def _items_to_json(items: MappedItems) -> dict[str, Any]:
    return {
        "ids": items.ids,
        "prefixes": items.prefixes.tolist(),
        "plane": [[round(float(at), 3) for at in point] for point in items.plane],
        "gallery": items.gallery,
        "distances": [
            {name: _numbers(value) for name, value in asdict(one).items()}
            for one in items.distances
        ],
    }


def _items_from_json(found: Mapping[str, Any]) -> MappedItems:
    items = MappedItems(
        tuple(map(str, found["ids"])),
        np.array(found["prefixes"], np.int64),
        np.array(found["plane"], np.float32),
        int(found["gallery"]),
        tuple(_cohesion(one) for one in found["distances"]),
    )
    count = len(items.ids)
    if items.plane.shape != (count, 2) or items.prefixes.shape[:1] != (count,):
        raise ValueError(f"{count} ids for prefixes {items.prefixes.shape}")
    return items


def _cohesion(found: Mapping[str, Any]) -> Cohesion:
    low, high = (_or_nan(value) for value in found["shuffled"])
    within, between = _or_nan(found["within"]), _or_nan(found["between"])
    return Cohesion(int(found["depth"]), int(found["prefixes"]), within, between, (low, high))


def _numbers(value: Any) -> Any:
    """What JSON has no word for is null."""
    if isinstance(value, tuple):
        return [_numbers(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _tree_from_json(found: Mapping[str, Any]) -> QueryTree:
    branches = tuple(Branch(**one) for one in found["branches"])
    _check_parents(branches)
    return QueryTree(
        query=str(found["query"]),
        text=str(found["text"]),
        rank=int(found["rank"]),
        k=int(found["k"]),
        right=tuple(RightItem(str(one["id"]), tuple(one["identifier"])) for one in found["right"]),
        steps=tuple(StepSize(**one) for one in found["steps"]),
        branches=branches,
    )


def _check_parents(branches: Sequence[Branch]) -> None:
    for place, branch in enumerate(branches):
        if branch.step == 0 and branch.parent == -1:
            continue
        if not 0 <= branch.parent < place or branches[branch.parent].step + 1 != branch.step:
            raise ValueError(f"branch {place} extends none of the step before it")
