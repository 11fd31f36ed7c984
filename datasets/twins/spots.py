"""Where an item of a twin stands, and the random numbers that it is drawn with."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Spot:
    """A place in a split of a twin.

    stream  what parts this twin's numbers from those of others: its seed, and its name
    """

    stream: str
    split: str
    place: int

    def generator(self, what: str) -> random.Random:
        """Random numbers for one thing about the item, whatever else is drawn."""
        return random.Random(f"{self.stream}/{self.split}/{self.place}/{what}")

    def before(self) -> Spot:
        """The spot of the item just before."""
        return Spot(self.stream, self.split, self.place - 1)
