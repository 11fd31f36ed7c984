"""The processes that train one model, as each of them sees the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

# States of the random generators of one process: "cpu", and "cuda" where it trains on one.
RandomState = dict[str, Tensor]


class Team(Protocol):
    """``rank`` of ``count`` processes that take every step together, the main one first."""

    @property
    def rank(self) -> int: ...

    @property
    def count(self) -> int: ...

    def summed(self, values: Tensor) -> Tensor:
        """The sum over the processes of values [n]."""
        ...

    def told(self, ask: Callable[[], float]) -> float:
        """What ``ask`` gives the main process, which alone calls it."""
        ...

    def gathered(self, own: RandomState) -> list[RandomState]:
        """That of every process, by rank."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process, which has nobody to agree with."""

    rank: int = 0
    count: int = 1

    def summed(self, values: Tensor) -> Tensor:
        return values

    def told(self, ask: Callable[[], float]) -> float:
        return ask()

    def gathered(self, own: RandomState) -> list[RandomState]:
        return [own]


ALONE = Alone()


def own_seed(seed: int, team: Team) -> int:
    """The main process draws as one alone would; each other draws masks of its own."""
    if team.rank == 0:
        return seed
    return int(np.random.SeedSequence([seed, team.rank]).generate_state(1)[0])


def random_state(device: torch.device) -> RandomState:
    """That of this process, which trains on ``device``."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Go on from what ``random_state`` told."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
