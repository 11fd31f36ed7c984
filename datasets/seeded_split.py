"""Draw a split that depends on the ids and the seed alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def drawn_order(ids: Iterable[str], seed: int) -> list[str]:
    """The ids in an order drawn by ``seed``, whatever order they come in.

    Sorted by a hash of seed and id, so that it is the same on every machine and for every
    version of every library, and an id that is added moves no other past its neighbours.
    """

    def place(name: str) -> tuple[bytes, str]:
        return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest(), name

    return sorted(ids, key=place)
