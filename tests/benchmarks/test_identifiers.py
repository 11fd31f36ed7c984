"""From embeddings to identifiers: learning the codes, giving them out and counting."""

from __future__ import annotations

import numpy as np
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn import functional as F

from cart.config import IdentifierConfig
from cart.identifiers import (
    assign,
    assign_together,
    collision_ceiling,
    fit_quantizers,
    unique_tokens,
)
from cart.identifiers.rqvae import RQVAE
from tests.benchmarks.seeded import GALLERY, MANY, code_prefixes, unit_vectors


def test_assigning_codes_to_20000_items(benchmark: BenchmarkFixture) -> None:
    quantizers = fit_quantizers(unit_vectors(1000, 1), IdentifierConfig(epochs=1), seed=0)
    blocks = np.split(unit_vectors(GALLERY, 2), 4)
    codes = benchmark(assign, quantizers, blocks)
    assert codes.shape == (GALLERY, 3)


def test_counters_of_a_million_items(benchmark: BenchmarkFixture) -> None:
    prefixes = code_prefixes(MANY)
    tokens = benchmark.pedantic(unique_tokens, (prefixes,), rounds=5)
    assert tokens.min() == 0


def test_counter_of_one_item_behind_a_million(benchmark: BenchmarkFixture) -> None:
    prefixes = code_prefixes(MANY)
    taken = np.column_stack([prefixes, unique_tokens(prefixes)])
    tokens = benchmark(unique_tokens, prefixes[:1], taken)
    assert tokens[0] > 0


def test_collision_ceiling_of_a_million_items(benchmark: BenchmarkFixture) -> None:
    ceiling = benchmark.pedantic(collision_ceiling, (code_prefixes(MANY),), rounds=5)
    assert 0 < ceiling < 1


def test_step_of_the_rqvae(benchmark: BenchmarkFixture) -> None:
    torch.manual_seed(0)
    model = RQVAE(256, (128, 128), IdentifierConfig())
    x = torch.randn(256, 256)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> float:
        rebuilt, quantized = model(x)
        loss = F.mse_loss(rebuilt, x, reduction="sum") / len(x) + quantized.commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    assert np.isfinite(benchmark(step))


def test_walking_20000_items_down_a_tree_of_clusters(benchmark: BenchmarkFixture) -> None:
    config = IdentifierConfig(scheme="hierarchical-kmeans", coarse_size=32, codebook_sizes=(32, 32))
    tree = fit_quantizers(unit_vectors(5000, 1), config, seed=0)
    codes = benchmark(tree.codes, unit_vectors(GALLERY, 2))
    assert codes.shape == (GALLERY, 3)


def test_spreading_20000_items_over_the_last_codebook(benchmark: BenchmarkFixture) -> None:
    config = IdentifierConfig(coarse_size=64, codebook_sizes=(64, 64), epochs=1)
    quantizers = fit_quantizers(unit_vectors(1000, 1), config, seed=0)
    x = unit_vectors(GALLERY, 2)
    codes = benchmark.pedantic(assign_together, (quantizers, x, "sinkhorn"), rounds=2)
    assert collision_ceiling(codes) > collision_ceiling(quantizers.codes(x))
