"""Albums as the data of the page's script: each item, identifier and medium is written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from reports.look.albums import Album, Answering, Asked, Ranking
from reports.look.media import Inline
from reports.units import visible


@dataclass(frozen=True)
class Data:
    """What the script reads.

    albums  what was asked and answered, as JSON; items and media are named by their places
    media   the data URIs, as JSON
    """

    albums: Markup
    media: Markup

    @property
    def bytes(self) -> int:
        return len(self.albums.encode()) + len(self.media.encode())


def data(albums: Sequence[Album], queries: int, playable: int, inline: Inline) -> Data:
    """The first ``queries`` drawn queries of each album.

    playable  of how many of them the sounds and clips are there, not the pictures alone
    """
    places: dict[str, int] = {}

    def place(name: str) -> int:
        """Of a medium in the list; -1 for none."""
        uri = inline(name)
        return places.setdefault(uri, len(places)) if uri else -1

    told = [_album(album, queries, playable, place) for album in albums]
    return Data(_json(told), _json(list(places)))


def items_of(queries: Sequence[Asked], known: Mapping[str, Any]) -> list[str]:
    """The items that some queries met or should have, in order; those that are not known are left
    out."""
    met = (
        item
        for query in queries
        for item in (*query.right, *(one for rank in query.rankings if rank for one in rank.top))
    )
    return [item for item in dict.fromkeys(met) if item in known]


def _album(album: Album, most: int, playable: int, place: Callable[[str], int]) -> dict[str, Any]:
    queries = album.queries[:most]
    items = items_of(queries, album.media)
    played = set(items_of(queries[:playable], album.media))
    row = {item: number for number, item in enumerate(items)}
    return {
        "label": visible(album.label),
        "anchor": album.anchor,
        "synthetic": album.synthetic,
        "modality": album.modality,
        "total": album.total,
        "depth": album.depth,
        "retrievers": [_retriever(one, items) for one in album.retrievers],
        "items": [visible(item) for item in items],
        "thumbnails": [place(album.media[item].thumbnail) for item in items],
        "samples": [place(album.media[item].sample) if item in played else -1 for item in items],
        "queries": [_query(query, row) for query in queries],
    }


def _retriever(one: Answering, items: Sequence[str]) -> dict[str, Any]:
    paths = ["·".join(map(str, one.identifiers.get(item, ()))) for item in items]
    return {
        "label": visible(one.label),
        "paradigm": one.paradigm,
        "seed": one.seed,
        "shown": one.shown,
        "paths": paths if any(paths) else [],
    }


def _query(query: Asked, row: Mapping[str, int]) -> dict[str, Any]:
    return {
        "text": query.text,
        "right": [row[item] for item in query.right if item in row],
        "rights": len(query.right),
        "rankings": [None if rank is None else _ranking(rank, row) for rank in query.rankings],
    }


def _ranking(rank: Ranking, row: Mapping[str, int]) -> dict[str, Any]:
    kept = [
        (row[item], score) for item, score in zip(rank.top, rank.scores, strict=True) if item in row
    ]
    return {
        "top": [item for item, _ in kept],
        "scores": ["" if score is None else f"{score:.4g}" for _, score in kept],
        "best": rank.best,
        "worst": rank.worst,
    }


def _json(value: Any) -> Markup:
    return htmlsafe_json_dumps(value, separators=(",", ":"))
