"""The training loop: steps, epochs, validation, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cart.config import TrainConfig
from cart.monitor import Monitor
from cart.training.checkpoint import Keeper, Progress
from cart.training.examples import Examples, IntArray, batches
from cart.training.gradients import Loss, batch_gradient
from cart.training.schedule import learning_rate_factor
from cart.training.team import ALONE, Team, own_seed

# A kill loses this many steps at most.
CHECKPOINT_STEPS = 500

Keep = Callable[[Progress], None]


@dataclass(frozen=True)
class _Lessons:
    """What every epoch of a training is made of."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    examples: Examples
    config: TrainConfig
    seed: int
    team: Team

    @cached_property
    def drawn(self) -> int:
        """Examples of an epoch."""
        some = self.examples.drawn(self.config.captions_per_item, np.random.default_rng(0))
        return len(some)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.drawn / self.config.batch_size)

    @property
    def epochs(self) -> int:
        return self.config.epochs_of(self.steps)

    def epoch(
        self, progress: Progress, keep: Keep, every: int, monitor: Monitor | None
    ) -> Progress:
        """The epoch under way, to its end; ``keep`` is told of it ``every`` few steps."""
        self.model.train()
        random = np.random.default_rng([self.seed, progress.epoch])
        left = islice(batches(self.examples, self.config, random), progress.step, None)
        device = next(self.model.parameters()).device
        total = torch.tensor(progress.total, dtype=torch.float64, device=device)
        for step, rows in enumerate(left, progress.step + 1):
            done = progress.epoch * self.steps + step
            total += self._step(rows, done - 1).double() * len(rows)
            if step % every == 0 and step < self.steps:
                keep(replace(progress, step=step, total=float(total)))
            if monitor is not None:
                monitor("training", done, self.epochs * self.steps)
        losses = (*progress.losses, float(total) / max(1, self.drawn))
        return replace(progress, epoch=progress.epoch + 1, losses=losses, step=0, total=0.0)

    def _step(self, rows: IntArray, number: int) -> Tensor:
        """Step ``number`` of the training, on a batch's rows [batch]; its loss."""
        config, parameters = self.config, self.model.parameters()
        factor = learning_rate_factor(number, self.epochs * self.steps, config)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * factor
        value = batch_gradient(self.model, self.loss, self.examples, rows, config, self.team)
        if config.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, config.clip)
        self.optimizer.step()
        return value


def optimise(
    model: nn.Module,
    loss: Loss,
    examples: Examples,
    config: TrainConfig,
    seed: int,
    validate: Callable[[], float] | None = None,
    checkpoint: Path | None = None,
    monitor: Monitor | None = None,
    *,
    checkpoint_steps: int = CHECKPOINT_STEPS,
    team: Team = ALONE,
) -> Progress:
    """Train in place; with ``validate`` (R@10) the best epoch's weights are kept, the later
    ones among equals: on a small validation gallery R@10 is full long before the ranks settle.
    It finds the model in evaluation mode. Without it the last weights stay, as nothing tells
    better from worse.

    A ``checkpoint`` file is written after every epoch and every ``checkpoint_steps`` steps of
    one, and picked up again by the same call, with the result of an undisturbed run. The caller
    names it by all that decides the training. On a processor the same seed gives the same weights
    with the same number of threads. Each process of a ``team`` calls this alike; they end with the
    same weights. Raises ValueError for a damaged checkpoint.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        betas=(0.9, config.beta2),
    )
    lessons = _Lessons(model, optimizer, loss, examples, config, seed, team)
    torch.manual_seed(own_seed(seed, team))
    keeper = Keeper(checkpoint, model, optimizer, team)
    progress, best = keeper.resumed()
    began = time.perf_counter() - progress.seconds

    def keep(progress: Progress) -> None:
        keeper.keep(replace(progress, seconds=time.perf_counter() - began), best)

    while progress.epoch < lessons.epochs and not (
        validate is not None and progress.stale() >= config.patience
    ):
        progress = lessons.epoch(progress, keep, checkpoint_steps, monitor)
        if validate is not None and config.validation_due(progress.epoch, lessons.epochs):
            model.eval()
            score = team.told(validate)
            if score >= progress.best:
                best = {name: value.clone() for name, value in model.state_dict().items()}
            validations = (*progress.validations, (progress.epoch, score))
            progress = replace(progress, validations=validations)
        progress = replace(progress, seconds=time.perf_counter() - began)
        keep(progress)
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return progress
