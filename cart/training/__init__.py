"""Training CART: examples in batches, a schedule, one loop, checkpoints, several processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from cart.config import TrainConfig
from cart.loss import cart_loss
from cart.model import CartModel
from cart.monitor import Monitor
from cart.targets import Candidates, Targets
from cart.training.checkpoint import Progress
from cart.training.examples import Examples, batches
from cart.training.loop import CHECKPOINT_STEPS, optimise
from cart.training.processes import train_in_processes
from cart.training.schedule import learning_rate_factor

__all__ = [
    "Candidates",
    "Examples",
    "Progress",
    "Targets",
    "batches",
    "learning_rate_factor",
    "optimise",
    "train",
]


def train(
    model: CartModel,
    examples: Examples,
    config: TrainConfig,
    seed: int,
    validate: Callable[[CartModel], float] | None = None,
    checkpoint: Path | None = None,
    monitor: Monitor | None = None,
    *,
    checkpoint_steps: int = CHECKPOINT_STEPS,
    processes: int = 1,
) -> Progress:
    """Train CART on equation 8, in this process or in several; see ``optimise`` and
    ``train_in_processes``."""
    if processes > 1:
        return train_in_processes(
            processes,
            model,
            cart_loss,
            examples,
            config,
            seed,
            validate,
            checkpoint,
            monitor,
            checkpoint_steps,
        )

    def loss(ids: Tensor, mask: Tensor, targets: Targets) -> Tensor:
        return cart_loss(model, ids, mask, targets, config)

    score = None if validate is None else partial(validate, model)
    return optimise(
        model,
        loss,
        examples,
        config,
        seed,
        score,
        checkpoint,
        monitor,
        checkpoint_steps=checkpoint_steps,
    )
