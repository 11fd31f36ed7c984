"""What turns item embeddings into code prefixes, whatever the scheme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

# Embeddings that are looked at together: what is computed of them stays in a processor's cache.
BLOCK = 4096


class Quantizers(Protocol):
    """Fitted once, and from then on the same code prefix for the same embedding."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes at each position."""
        ...

    def codes(self, embeddings: FloatArray) -> IntArray:
        """Code prefixes [n, positions] of embeddings [n, dim], each by itself."""
        ...

    def state(self) -> Mapping[str, Tensor]:
        """All that was fitted, for a file; ``cart.identifiers.restored`` reads it."""
        ...


@runtime_checkable
class Rebuilding(Protocol):
    """Quantizers whose codes stand for a place among the embeddings."""

    def rebuilt(self, codes: IntArray) -> FloatArray:
        """Embeddings [n, dim] as code prefixes [n, positions] give them."""
        ...


@runtime_checkable
class LastCodebook(Protocol):
    """Quantizers whose last code is an entry of one codebook that all items share."""

    def last_distances(self, embeddings: FloatArray) -> FloatArray:
        """Squared distances [n, V_M] between the entries of the last codebook and what the codes
        before the last leave of embeddings [n, dim]."""
        ...


def by_blocks(
    rows: npt.NDArray[Any], of_block: Callable[[Tensor], Tensor], like: Tensor
) -> npt.NDArray[Any]:
    """What ``of_block`` makes of rows [n, ...], a block at a time on the device of ``like``."""
    starts = range(0, max(1, len(rows)), BLOCK)
    blocks = (tensor(rows[start : start + BLOCK]).to(like.device) for start in starts)
    return np.concatenate([of_block(block).cpu().numpy() for block in blocks])


def tensor(rows: npt.NDArray[Any]) -> Tensor:
    """The same memory, or a copy of what may not be written to, such as a file mapped to read."""
    return torch.from_numpy(np.require(rows, requirements="W"))


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """Index [n] of the centre [centres, dim] that is nearest to each of x [n, dim].

    |x - c|^2 less |x|^2, which all centres share, is |c|^2 - 2 x c: one matrix product.
    """
    return torch.addmm(centres.square().sum(dim=1), x, centres.T, alpha=-2).argmin(dim=1)
