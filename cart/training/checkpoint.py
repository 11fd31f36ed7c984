"""A training on disk, from which it goes on as if nothing had happened."""

from __future__ import annotations

import math
import os
import pickle
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cart.training.team import Team, random_state, set_random_state

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Progress:
    """Where training stands: what a checkpoint holds beside the tensors.

    epoch        epochs that are over
    losses       mean loss of each of them
    validations  (epoch, R@10) of each validation
    step, total  steps of the epoch under way, and the sum of its examples' losses
    seconds      spent so far, in earlier processes too
    """

    epoch: int = 0
    losses: tuple[float, ...] = ()
    validations: tuple[tuple[int, float], ...] = ()
    step: int = 0
    total: float = 0.0
    seconds: float = field(default=0.0, compare=False)

    @property
    def best(self) -> float:
        return max((score for _, score in self.validations), default=-math.inf)

    def stale(self) -> int:
        """Validations since the last one that was as good as the best."""
        scores = [score for _, score in self.validations]
        return scores[::-1].index(max(scores)) if scores else 0


@dataclass(frozen=True)
class Keeper:
    """Keeps a training at ``path``, which the main process of the team writes and all read."""

    path: Path | None
    model: nn.Module
    optimizer: torch.optim.Optimizer
    team: Team

    def keep(self, progress: Progress, best: Weights | None) -> None:
        """Replace the checkpoint in one move: a kill or a Ctrl-C leaves the one before."""
        if self.path is None:
            return
        states = self.team.gathered(random_state(self._device))
        if self.team.rank:
            return
        kept = {
            **asdict(progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": best,
            "random": states,
        }
        _write(self.path, kept)

    def resumed(self) -> tuple[Progress, Weights | None]:
        """Put everything where ``keep`` found it; with no checkpoint it is the beginning.

        Raises ValueError where the file is damaged or of another model.
        """
        if self.path is None or not self.path.exists():
            return Progress(), None
        try:
            kept = torch.load(self.path, weights_only=True, map_location="cpu")
            self.model.load_state_dict(kept["model"])
            self.optimizer.load_state_dict(kept["optimizer"])
            progress = Progress(**{one.name: kept[one.name] for one in fields(Progress)})
            if self.team.rank < len(kept["random"]):
                set_random_state(kept["random"][self.team.rank], self._device)
        except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as problem:
            raise ValueError(
                f"{self.path} is no checkpoint of this training. "
                "Delete it to train from the beginning."
            ) from problem
        return progress, kept["best"]

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _write(path: Path, kept: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(kept, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
