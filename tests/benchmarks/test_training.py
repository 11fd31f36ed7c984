"""CART's training step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from cart.config import TrainConfig
from cart.loss import cart_loss
from cart.targets import Targets
from cart.training import Examples
from cart.training.gradients import batch_gradient
from cart.training.team import ALONE
from tests.benchmarks.seeded import LEVELS, cart_model, token_rows

CONFIGS = {
    "no consistency": TrainConfig(consistency="off"),
    "decoder twice": TrainConfig(consistency="decoder"),
    "all twice": TrainConfig(consistency="model"),
    "four micro-batches": TrainConfig(accumulate=4),
    "bf16": TrainConfig(numbers="bf16"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_training_step_of_256_pairs(benchmark: BenchmarkFixture, name: str) -> None:
    config, model = CONFIGS[name], cart_model().train()
    random = np.random.default_rng(2)
    wanted = np.stack([random.integers(0, size, 256) for size in LEVELS], axis=1)
    examples = Examples.sure(token_rows(256), wanted, np.full(256, -1))
    optimizer = torch.optim.AdamW(model.parameters())

    def loss(ids: torch.Tensor, mask: torch.Tensor, targets: Targets) -> torch.Tensor:
        return cart_loss(model, ids, mask, targets, config)

    def step() -> float:
        value = batch_gradient(model, loss, examples, np.arange(256), config, ALONE)
        optimizer.step()
        return value.item()

    assert np.isfinite(benchmark.pedantic(step, rounds=3, warmup_rounds=1))
