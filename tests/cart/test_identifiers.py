"""Identifiers against hand-computed cases and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cart.config import IdentifierConfig
from cart.identifiers import (
    collision_ceiling,
    fit_quantizers,
    identifiers,
    perplexity,
    unique_tokens,
)
from cart.rqvae import RQVAE, fit_rqvae

SMALL = IdentifierConfig(
    coarse_size=8, codebook_sizes=(8, 8), hidden=(32,), latent_dim=8, epochs=30, batch_size=64
)


def blobs(seed: int, items: int, dim: int = 16) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, dim))
    found = centres[random.integers(0, 12, items)] + 0.3 * random.normal(size=(items, dim))
    return found.astype(np.float32)


def test_the_counter_starts_at_nought_and_counts_each_prefix() -> None:
    prefixes = np.array([[3, 1], [2, 2], [3, 1], [3, 1], [2, 2]])
    assert unique_tokens(prefixes).tolist() == [0, 0, 1, 2, 1]


def test_counting_goes_on_behind_identifiers_already_given() -> None:
    taken = np.array([[3, 1, 0], [3, 1, 5], [2, 2, 0]])
    assert unique_tokens(np.array([[3, 1], [2, 2], [9, 9]]), taken).tolist() == [6, 1, 0]


@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(0, 2)))
def test_identifiers_are_all_different_and_counters_leave_no_gap(prefixes: np.ndarray) -> None:
    found = identifiers(prefixes)
    assert len(np.unique(found, axis=0)) == len(prefixes)
    for prefix in np.unique(prefixes, axis=0):
        counters = found[(found[:, :-1] == prefix).all(axis=1), -1]
        assert sorted(counters) == list(range(len(counters)))


def test_collision_ceiling_counts_items_with_a_prefix_of_their_own() -> None:
    assert collision_ceiling(np.array([[1, 1], [1, 2], [1, 2], [3, 3]])) == 0.5


def test_perplexity_of_even_and_single_use() -> None:
    assert perplexity(np.array([0, 1, 2, 3]), 8) == pytest.approx(4)
    assert perplexity(np.zeros(5, dtype=np.int64), 8) == pytest.approx(1)


def test_the_coarse_token_is_the_nearest_centre_and_the_fine_ones_code_the_rest() -> None:
    x = blobs(0, 200)
    quantizers = fit_quantizers(x, SMALL, seed=0)
    codes = quantizers.codes(x)
    centres = quantizers.centres.numpy()
    distance = ((x[:, None, :] - centres[None]) ** 2).sum(axis=2)
    assert (codes[:, 0] == distance.argmin(axis=1)).all()
    residual = torch.from_numpy((x - centres[codes[:, 0]]) / quantizers.scale)
    latent = quantizers.rqvae.encoder(residual).detach().numpy()
    for level, codebook in enumerate(quantizers.rqvae.codebooks):
        entries = codebook.detach().numpy()
        nearest = ((latent[:, None, :] - entries[None]) ** 2).sum(axis=2).argmin(axis=1)
        assert (codes[:, 1 + level] == nearest).all()
        latent = latent - entries[nearest]


def test_the_same_seed_gives_the_same_codes_and_the_caller_keeps_its_random_state() -> None:
    x = blobs(1, 100)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fit_quantizers(x, SMALL, seed=3).codes(x)
    assert torch.equal(before, torch.get_rng_state())
    assert (first == fit_quantizers(x, SMALL, seed=3).codes(x)).all()


def test_fewer_items_than_clusters_still_get_identifiers() -> None:
    x = blobs(2, 3)
    quantizers = fit_quantizers(np.concatenate([x, x[:1]]), SMALL, seed=0)
    assert len(quantizers.centres) == 3
    found = identifiers(quantizers.codes(np.concatenate([x, x[:1]])))
    assert len(np.unique(found, axis=0)) == 4


def test_training_reconstructs_better_than_the_mean_and_leaves_no_code_dead() -> None:
    x = torch.from_numpy(blobs(3, 400))
    x = x - x.mean(dim=0)
    model = fit_rqvae(x, SMALL, seed=0)
    with torch.no_grad():
        rebuilt, quantized = model(x)
    assert (rebuilt - x).square().sum() < 0.5 * x.square().sum()
    for level in range(2):
        assert perplexity(quantized.codes[:, level].numpy(), 8) > 4


def test_the_commitment_loss_is_equation_1() -> None:
    torch.manual_seed(0)
    model = RQVAE(6, SMALL)
    latent = torch.randn(5, SMALL.latent_dim)
    quantized = model.quantize(latent)
    total = 0.0
    for row in range(5):
        residual = latent[row].numpy()
        for level, codebook in enumerate(model.codebooks):
            entry = codebook.detach().numpy()[quantized.codes[row, level]]
            gap = float(((residual - entry) ** 2).sum())
            total += gap + SMALL.encoder_pull * gap
            residual = residual - entry
    assert quantized.commitment.item() == pytest.approx(total / 5, rel=1e-5)


def test_gradients_of_equation_1_stop_where_sg_says() -> None:
    torch.manual_seed(0)
    model = RQVAE(6, SMALL)
    latent = torch.randn(4, SMALL.latent_dim, requires_grad=True)
    quantized = model.quantize(latent)
    quantized.commitment.backward()
    entry = quantized.value.detach() - model.codebooks[1][quantized.codes[:, 1]].detach()
    first = latent.detach() - entry
    second = latent.detach() - quantized.value.detach()
    expected = SMALL.encoder_pull * 2 * (first + second) / 4
    torch.testing.assert_close(latent.grad, expected)
