"""Where an item of a twin stands, and the random numbers that it is drawn with."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Spot:
    """A place in a split of a twin.

    stream  what parts this twin's numbers from those of others: its seed, and its name
    """

    stream: str
    split: str
    place: int

    def __str__(self) -> str:
        return f"{self.stream}/{self.split}/{self.place}"

    def generator(self, what: str) -> random.Random:
        """Random numbers for one thing about the item, whatever else is drawn."""
        return random.Random(f"{self}/{what}")

    def before(self) -> Spot:
        """The spot of the item just before."""
        return Spot(self.stream, self.split, self.place - 1)


def often_sibling(
    spot: Spot,
    what: str,
    share: float,
    draw: Callable[[random.Random], Drawn],
    sibling: Callable[[Drawn, random.Random], Drawn],
) -> Drawn:
    """What stands at a spot: for a ``share`` of the odd ones a sibling of what stands before.

    A sibling is of the same words bound otherwise. The spot alone decides, so that neither the
    number of worker processes nor their order shows in the files.

    what  names the random numbers that it is drawn with
    """
    rng = spot.generator(what)
    if spot.place % 2 == 1 and rng.random() < share:
        return sibling(often_sibling(spot.before(), what, share, draw, sibling), rng)
    return draw(rng)
