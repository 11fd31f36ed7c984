"""How the learning rate goes over a training."""

from __future__ import annotations

import math

from cart.config import TrainConfig

# Share of the peak that a warm-up starts from: 1e-6 of 1e-4 in appendix C.
_FLOOR = 0.01


def learning_rate_factor(step: int, total: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at ``step`` of ``total``.

    "cosine": one linear warm-up from 1 % of the peak, then ``config.cycles`` cosines to zero.
    "restarts": ``config.cycles`` rounds of a warm-up from 1 % of the peak and a cosine back to it,
    as the scheduler "cosine annealing warm-up restarts" does that appendix C names;
    ``config.warmup`` is the share of its steps that a round warms up for.
    """
    if config.schedule == "restarts":
        cycle = total / config.cycles
        return _FLOOR + (1 - _FLOOR) * _round(step % cycle, cycle, config.warmup)
    warm = max(1, round(config.warmup * total))
    if step < warm:
        return _FLOOR + (1 - _FLOOR) * step / warm
    cycle = max(1, total - warm) / config.cycles
    return _cosine(((step - warm) % cycle) / cycle)


def _round(step: float, steps: float, warmup: float) -> float:
    """From 0 to 1 within the warm-up and back to 0 at the end of ``steps``."""
    warm = warmup * steps
    return step / warm if step < warm else _cosine((step - warm) / (steps - warm))


def _cosine(within: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * within))
