"""The identifiers that a query is taught to write, where more than one may be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Targets:
    """Of a batch: identifiers int64 [batch, candidates, length] with weights [batch, candidates]
    that sum to one, 0 where a query has fewer candidates than others."""

    identifiers: Tensor
    weights: Tensor

    @property
    def sure(self) -> bool:
        """Whether every query has one candidate."""
        return self.identifiers.shape[1] == 1

    def drawn(self) -> Tensor:
        """One identifier of each query [batch, length], drawn by the weights."""
        if self.sure:
            return self.identifiers[:, 0]
        chosen = torch.multinomial(self.weights, 1)
        return self.identifiers.take_along_dim(chosen[:, :, None], dim=1).squeeze(1)

    def following(self, identifiers: Tensor, level: int, size: int) -> Tensor:
        """The distribution [batch, size] of the token at ``level`` behind the prefixes that
        identifiers [batch, length] have there.

        Over identifiers that are drawn by the weights, the cross-entropies to these distributions
        add up to that between the candidates and the model (the chain rule), with less noise than
        the drawn tokens alone would have.
        """
        alike = (self.identifiers[:, :, :level] == identifiers[:, None, :level]).all(dim=2)
        weights = self.weights * alike
        share = weights / weights.sum(dim=1, keepdim=True)
        empty = share.new_zeros(len(share), size)
        return empty.scatter_add_(1, self.identifiers[:, :, level], share)


@dataclass(frozen=True)
class Candidates:
    """Of each example, the identifiers that may be right.

    identifiers  int64 [distinct, length]
    rows         int32 [examples, most], rows of ``identifiers``
    weights      float32 [examples, most], 0 behind the last
    """

    identifiers: IntArray
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @staticmethod
    def sure(identifiers: IntArray) -> Candidates:
        """One of each example: identifiers [examples, length]."""
        rows = np.arange(len(identifiers), dtype=np.int32)[:, None]
        return Candidates(identifiers, rows, np.ones(rows.shape, np.float32))

    def of(self, examples: IntArray, device: torch.device) -> Targets:
        """Of some examples [batch]."""
        return Targets(
            torch.from_numpy(self.identifiers[self.rows[examples]]).to(device),
            torch.from_numpy(self.weights[examples]).to(device),
        )

    def taken(self, examples: IntArray) -> Candidates:
        """Those of some examples, in their order."""
        return Candidates(self.identifiers, self.rows[examples], self.weights[examples])

    def joined(self, other: Candidates) -> Candidates:
        """Those of other examples behind these."""
        most = max(self.rows.shape[1], other.rows.shape[1])
        first, second = self._widened(most), other._widened(most)
        shifted = second.rows + np.int32(len(self.identifiers))
        return Candidates(
            np.concatenate([self.identifiers, other.identifiers]),
            np.concatenate([first.rows, shifted]),
            np.concatenate([first.weights, second.weights]),
        )

    def _widened(self, most: int) -> Candidates:
        wider = ((0, 0), (0, most - self.rows.shape[1]))
        return Candidates(self.identifiers, np.pad(self.rows, wider), np.pad(self.weights, wider))
