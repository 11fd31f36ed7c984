"""A team of processes that Accelerate brings together, on processors or graphics cards."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cart.training.team import RandomState

# The others wait while the main process asks; no answer is too slow for them.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Place:
    """Where one process stands; ``folder`` is where all of them meet."""

    rank: int
    count: int
    cuda: bool
    threads: int
    folder: str


class Accelerated:
    """A team of processes that Accelerate has brought together."""

    def __init__(self, state: Any) -> None:
        self._state = state

    @classmethod
    def joined(cls, place: Place) -> Accelerated:
        """Wait until all are there. To be called once in the life of a process."""
        from accelerate import PartialState

        os.environ.update(
            RANK=str(place.rank),
            LOCAL_RANK=str(place.rank),
            WORLD_SIZE=str(place.count),
            LOCAL_WORLD_SIZE=str(place.count),
            OMP_NUM_THREADS=str(place.threads),
        )
        torch.set_num_threads(place.threads)
        return cls(
            PartialState(
                cpu=not place.cuda,
                init_method=(Path(place.folder) / "meeting").as_uri(),
                rank=place.rank,
                world_size=place.count,
                timeout=_PATIENCE,
            )
        )

    @property
    def device(self) -> torch.device:
        return self._state.device

    @property
    def rank(self) -> int:
        return self._state.process_index

    @property
    def count(self) -> int:
        return self._state.num_processes

    def summed(self, values: Tensor) -> Tensor:
        from accelerate.utils import reduce

        return reduce(values, "sum")

    def told(self, ask: Callable[[], float]) -> float:
        from accelerate.utils import broadcast_object_list

        answer = [ask() if self.rank == 0 else 0.0]
        broadcast_object_list(answer)
        return answer[0]

    def gathered(self, own: RandomState) -> list[RandomState]:
        from accelerate.utils import gather_object

        return gather_object([own])

    def leave(self) -> None:
        """Once all are done."""
        self._state.wait_for_everyone()
        self._state.destroy_process_group()
