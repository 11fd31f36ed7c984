"""The drawn queries of a dataset with what each of its retrievers answered, from stored cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cells import Cell
from bench.item_media import ItemMedia
from bench.looks import ATTACHMENT, Looks, looks_from_json
from bench.store import ResultStore
from reports.comparison import Line, Section

FIRST_SHOWN = 4


@dataclass(frozen=True)
class Ranking:
    """The top of what one retriever answered to one query.

    top          item ids, best first
    scores       of them; None where it is no finite number
    best, worst  rank of the first right item if all ties go its way, and if none does; 0 where it
                 is not in the top
    """

    top: tuple[str, ...]
    scores: tuple[float | None, ...]
    best: int
    worst: int


@dataclass(frozen=True)
class Asked:
    """One query: its text, the ids of its right items, and each retriever's ranking or None."""

    id: str
    text: str
    right: tuple[str, ...]
    rankings: tuple[Ranking | None, ...]


@dataclass(frozen=True)
class Answering:
    """A retriever whose answers can be looked at, by its first finished seed.

    identifiers  item id -> the codes that it writes; empty for one that writes none
    shown        whether its answers are shown before the reader chooses
    """

    label: str
    paradigm: str
    seed: int
    identifiers: Mapping[str, tuple[int, ...]]
    shown: bool


@dataclass(frozen=True)
class Album:
    """What can be looked at of one dataset under one protocol.

    total    queries of the dataset, of which those here were drawn
    depth    how many places of each ranking there are
    queries  in the order in which they were drawn
    media    item id -> the names of its files
    """

    label: str
    anchor: str
    synthetic: bool
    modality: str
    total: int
    depth: int
    retrievers: tuple[Answering, ...]
    queries: tuple[Asked, ...]
    media: Mapping[str, ItemMedia]


@dataclass(frozen=True)
class _Told:
    """One line's cell and what is stored of it to be looked at."""

    line: Line
    cell: Cell
    looks: Looks
    asked: Mapping[tuple[str, str], Ranking]


def read(parts: Iterable[Section], store: ResultStore) -> tuple[Album, ...]:
    """An album for each section that has a result whose queries can be looked at."""
    albums = (_album(part, store) for part in parts)
    return tuple(album for album in albums if album is not None)


def _album(part: Section, store: ResultStore) -> Album | None:
    told = [one for line in part.lines if (one := _told(line, store)) is not None]
    if not told:
        return None
    media: dict[str, ItemMedia] = {}
    for one in told:
        for item, seen in one.looks.items.items():
            if item not in media or not media[item].thumbnail:
                media[item] = seen.media
    # Other versions of a dataset may ask something else under the same id.
    asked = dict.fromkeys(query for one in told for query in one.asked)
    chosen = _first_shown([one.cell.spec.retriever.paradigm for one in told])
    return Album(
        label=part.label,
        anchor=part.anchor,
        synthetic=part.synthetic,
        modality=part.modality,
        total=max(one.cell.counts["queries"] for one in told),
        depth=max(one.cell.spec.k for one in told),
        retrievers=tuple(
            Answering(
                one.line.label,
                one.cell.spec.retriever.paradigm,
                one.cell.spec.seed,
                {item: seen.identifier for item, seen in one.looks.items.items()},
                place in chosen,
            )
            for place, one in enumerate(told)
        ),
        queries=tuple(_asked(query, text, told) for query, text in asked),
        media=media,
    )


def _told(line: Line, store: ResultStore) -> _Told | None:
    """What the line's first finished seed has to be looked at."""
    cell = min(line.done, key=lambda cell: cell.spec.seed, default=None)
    content = None if cell is None else store.attachment(cell.spec.key, ATTACHMENT)
    if cell is None or content is None:
        return None
    looks = looks_from_json(content)
    ranks = store.ranks(cell.spec.key)
    rows = ranks[ranks["query"].isin(list(looks.queries))].set_index("query", drop=False)
    asked = {
        (str(row.query), str(row.text)): Ranking(
            tuple(map(str, row.ids)), tuple(map(_finite, row.scores)), int(row.best), int(row.worst)
        )
        for row in rows.loc[[one for one in looks.queries if one in rows.index]].itertuples()
    }
    return _Told(line, cell, looks, asked)


def _finite(score: float) -> float | None:
    return float(score) if math.isfinite(score) else None


def _asked(query: str, text: str, told: Sequence[_Told]) -> Asked:
    first = next(one for one in told if (query, text) in one.asked)
    rankings = tuple(one.asked.get((query, text)) for one in told)
    return Asked(query, text, first.looks.queries[query], rankings)


def _first_shown(paradigms: Sequence[str]) -> set[int]:
    """Places of the first of each paradigm, then of the first others, ``FIRST_SHOWN`` in all."""
    firsts = [paradigms.index(paradigm) for paradigm in dict.fromkeys(paradigms)]
    others = [place for place in range(len(paradigms)) if place not in firsts]
    return {*[*firsts, *others][:FIRST_SHOWN]}
