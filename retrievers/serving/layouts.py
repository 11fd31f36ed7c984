"""The tokens of a batch of texts one behind the other, and which of them make one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Layout(Protocol):
    """Which rows are the tokens of one text."""

    @property
    def seen(self) -> Sequence[Tensor | None]:
        """Of each group bool [texts, 1, 1, length], True at tokens; None where all are."""
        ...

    def split(self, rows: Tensor) -> Sequence[Tensor]:
        """[tokens, ...] -> of each group [texts, length, ...]"""
        ...

    def joined(self, groups: Sequence[Tensor]) -> Tensor:
        """Back again."""
        ...


class ByLength:
    """Texts of one length make a group: nothing is padded, and no number moved."""

    def __init__(self, ascending: Tensor) -> None:
        """lengths int64 [texts], on the host."""
        lengths, counts = ascending.unique_consecutive(return_counts=True)
        self._lengths = lengths.tolist()
        self._tokens = (lengths * counts).tolist()
        self.seen: Sequence[None] = [None] * len(self._tokens)

    def split(self, rows: Tensor) -> Sequence[Tensor]:
        groups = zip(rows.split(self._tokens), self._lengths, strict=True)
        return [group.unflatten(0, (-1, length)) for group, length in groups]

    def joined(self, groups: Sequence[Tensor]) -> Tensor:
        return torch.cat([group.flatten(0, 1) for group in groups])


class OneGroup:
    """All texts as one group, the shorter padded: few calls, where each call costs most."""

    def __init__(self, ascending: Tensor, device: torch.device) -> None:
        """lengths int64 [texts], on the host."""
        places = torch.arange(int(ascending[-1]))
        real = places < ascending[:, None]
        starts = ascending.cumsum(dim=0) - ascending
        # What stands in the place of padding is hidden: any row will do.
        self._rows = torch.where(real, starts[:, None] + places, 0).to(device)
        self._real = real.flatten().nonzero().squeeze(1).to(device)
        self.seen = [real[:, None, None, :].to(device)]

    def split(self, rows: Tensor) -> Sequence[Tensor]:
        return [rows[self._rows]]

    def joined(self, groups: Sequence[Tensor]) -> Tensor:
        (group,) = groups
        return group.flatten(0, 1)[self._real]


@dataclass(frozen=True)
class Packed:
    """The tokens of a batch, shorter texts first.

    numbers  int64 [tokens]
    places   int64 [tokens] of each in its text
    first    int64 [texts] row of each text's first token
    last     int64 [texts] row of its last
    back     int64 [texts] where each text that was given is now
    """

    numbers: Tensor
    places: Tensor
    layout: Layout
    first: Tensor
    last: Tensor
    back: Tensor


def packed(rows: Tensor, lengths: Tensor, device: torch.device) -> Packed:
    """Of token rows int64 [texts, longest] and their real lengths int64 [texts], on the host."""
    order = lengths.argsort(stable=True)
    ascending = lengths[order]
    behind = ascending.cumsum(dim=0)
    places = torch.arange(rows.shape[1]).expand(rows.shape)
    real = places < ascending[:, None]
    on_processor = device.type == "cpu"
    return Packed(
        numbers=rows[order][real].to(device),
        places=places[real].to(device),
        layout=ByLength(ascending) if on_processor else OneGroup(ascending, device),
        first=(behind - ascending).to(device),
        last=(behind - 1).to(device),
        back=order.argsort().to(device),
    )
