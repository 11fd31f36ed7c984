"""Which query each of the rows that are decoded together belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slots:
    """Which query each row belongs to: rows stand in an array of ``width`` places a query.

    fill    int64 [queries * width], the row at each place, any one where there is none
    back    int64 [rows], the place of each row
    absent  bool [queries], those without a row
    These are None where every place has its row.
    """

    queries: int
    width: int
    fill: Tensor | None = None
    back: Tensor | None = None
    absent: Tensor | None = None

    @staticmethod
    def some(chosen: Tensor) -> Slots:
        """A row for each prefix that is ``chosen`` bool [queries, beams], moved up to the first
        places of its query. Shapes follow the data."""
        counts = chosen.sum(dim=1)
        queries, width = len(chosen), int(counts.max())
        query, beam = chosen.nonzero().unbind(dim=1)
        back = query * width + chosen.cumsum(dim=1)[query, beam] - 1
        fill = torch.zeros(queries * width, dtype=torch.int64, device=back.device)
        fill[back] = torch.arange(len(back), device=back.device)
        return Slots(queries, width, fill, back, counts == 0)

    @property
    def rows(self) -> int:
        return self.queries * self.width if self.back is None else len(self.back)

    def row(self, places: Tensor) -> Tensor:
        """The row at some places of each query, int64 [queries, ...] of below ``width``."""
        first = torch.arange(self.queries, device=places.device).unsqueeze(1) * self.width
        return places + first if self.fill is None else self.fill[places + first]

    def spread(self, x: Tensor, empty: float) -> Tensor:
        """x [rows, ...] at its places [queries, width, ...], ``empty`` where there is no row."""
        if self.back is not None:
            full = x.new_full((self.queries * self.width, *x.shape[1:]), empty)
            x = full.index_copy_(0, self.back, x)
        return x.unflatten(0, (self.queries, self.width))

    def asking(self, span: slice) -> Tensor | None:
        """Queries of a span that have rows, int64 counted from its first; None is all of it,
        since to leave out a few is not worth a copy of what the others attend to."""
        if self.absent is None:
            return None
        absent = self.absent[span]
        few = 2 * int(absent.sum()) > len(absent)
        return (~absent).nonzero().squeeze(1) if few else None
