"""What is learned from, and the batches that an epoch takes it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cart.config import TrainConfig
from cart.targets import Candidates

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Queries as token ids, and the identifiers to write for each.

    ``items`` [examples] is the item that a human caption is of, whose captions take turns from
    epoch to epoch where there are many; -1 for a query that every epoch holds.
    """

    tokens: Sequence[Sequence[int]]
    candidates: Candidates
    items: IntArray

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.candidates.rows) == len(self.items):
            raise ValueError(
                f"{len(self.tokens)} queries, identifiers for {len(self.candidates.rows)}, "
                f"{len(self.items)} items"
            )

    @staticmethod
    def sure(tokens: Sequence[Sequence[int]], identifiers: IntArray, items: IntArray) -> Examples:
        """<query, identifier> pairs: identifiers [examples, length]."""
        return Examples(tokens, Candidates.sure(identifiers), items)

    def joined(self, other: Examples) -> Examples:
        """The examples of both."""
        return Examples(
            [*self.tokens, *other.tokens],
            self.candidates.joined(other.candidates),
            np.concatenate([self.items, other.items]),
        )

    def taken(self, places: IntArray) -> Examples:
        """The examples at ``places``, in their order."""
        return Examples(
            [self.tokens[place] for place in places.tolist()],
            self.candidates.taken(places),
            self.items[places],
        )

    def drawn(self, most: int, random: np.random.Generator) -> IntArray:
        """Rows of one epoch in random order, at most ``most`` of each item; their number is the
        same whatever is drawn."""
        order = random.permutation(len(self.tokens))
        items = self.items[order]
        by_item = np.argsort(items, kind="stable")
        grouped = items[by_item]
        turn = np.empty(len(order), dtype=np.int64)
        turn[by_item] = np.arange(len(order)) - np.searchsorted(grouped, grouped)
        return order[(turn < most) | (items < 0)]


def batches(
    examples: Examples, config: TrainConfig, random: np.random.Generator
) -> Iterator[IntArray]:
    """Rows of one epoch's batches: shuffled, alike in length within a batch.

    Sorting within runs of 16 batches keeps the padding small without fixing the neighbours.
    """
    batch_size = config.batch_size
    order = examples.drawn(config.captions_per_item, random)
    lengths = np.array([len(tokens) for tokens in examples.tokens])
    grouped = []
    for start in range(0, len(order), 16 * batch_size):
        part = order[start : start + 16 * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        grouped += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    for index in random.permutation(len(grouped)):
        yield grouped[index]
