"""How much can be looked at within a number of bytes: pictures come first, then what plays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.look.albums import Album
from reports.look.data import Data, data
from reports.look.media import Inline


def fitted(albums: Sequence[Album], inline: Inline, room: int) -> tuple[Data, int, int]:
    """The data of as many queries an album as fit, how many those are, and of how many of them
    the sounds and clips fit too.

    Queries are left out, and before them sounds and clips, from the last drawn on, in all albums
    alike: what stays is still a random sample. Without room for one query, none is there.
    """
    drawn = max((len(album.queries) for album in albums), default=0)

    def fits(queries: int, playable: int) -> bool:
        return data(albums, queries, playable, inline).bytes <= room

    queries = largest(drawn, lambda most: fits(most, 0))
    playable = largest(queries, lambda most: fits(queries, most))
    return data(albums, queries, playable, inline), queries, playable


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` that fits where all smaller ones do; 0 where none does."""
    if fits(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
