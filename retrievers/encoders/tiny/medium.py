"""What the tiny dual tower asks of a modality: to be read, varied and turned into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from datasets.base import Item


class Medium(Protocol):
    """One modality's settings, as plain data, and what follows from them.

    Items are read once into bytes, which are kept in memory where they fit; a step takes the
    bytes of its items, varies them, and hands them to the network.
    """

    @property
    def bytes_per_item(self) -> int:
        """What ``read`` keeps of an item."""
        ...

    def read(self, items: Sequence[Item]) -> Tensor:
        """uint8 [items, ...] on the host. Raises MediaError for an item that cannot be decoded."""
        ...

    def values(self, kept: Tensor) -> Tensor:
        """What was read as the network's input, of about zero mean and unit deviation."""
        ...

    def vary(self, kept: Tensor, rng: np.random.Generator) -> Tensor:
        """As ``values``, each item changed a little at random, so that its captions stay true."""
        ...

    def network(self, dim: int) -> nn.Module:
        """A tower with random weights: unit vectors [items, dim] of such input."""
        ...
