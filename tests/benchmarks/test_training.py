"""CART's training step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from cart.config import TrainConfig
from cart.loss import cart_loss
from cart.tokenizer import pad
from tests.benchmarks.seeded import LEVELS, cart_model, token_rows


@pytest.mark.parametrize("consistency", ["off", "decoder", "model"])
def test_training_step_of_256_pairs(benchmark: BenchmarkFixture, consistency: str) -> None:
    model = cart_model().train()
    random = np.random.default_rng(2)
    ids, mask = pad(token_rows(256))
    wanted = torch.from_numpy(np.stack([random.integers(0, size, 256) for size in LEVELS], axis=1))
    optimizer = torch.optim.AdamW(model.parameters())
    config = TrainConfig(consistency=consistency)  # type: ignore[arg-type]

    def step() -> float:
        loss = cart_loss(model, ids, mask, wanted, config)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    assert np.isfinite(benchmark.pedantic(step, rounds=3, warmup_rounds=1))
