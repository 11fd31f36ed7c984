"""The RQ-VAE against equation 1, and its training against hand-computed rates."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cart.config import IdentifierConfig
from cart.identifiers import perplexity, used_share
from cart.identifiers.rqvae import RQVAE
from cart.identifiers.rqvae_training import fit_rqvae, learning_rate
from cart.presets import PAPER_IDENTIFIERS
from tests.cart.item_embeddings import blobs

SMALL = IdentifierConfig(hidden=(32,), latent_dim=8, epochs=30, batch_size=64)


def test_training_reconstructs_better_than_the_mean_and_leaves_no_code_dead() -> None:
    x = torch.from_numpy(blobs(3, 400))
    x = x - x.mean(dim=0)
    model = fit_rqvae(x, (8, 8), SMALL, seed=0)
    with torch.no_grad():
        rebuilt, quantized = model(x)
    assert (rebuilt - x).square().sum() < 0.5 * x.square().sum()
    for level in range(2):
        assert perplexity(quantized.codes[:, level].numpy(), 8) > 4


def test_the_commitment_loss_is_equation_1() -> None:
    torch.manual_seed(0)
    model = RQVAE(6, (8, 8), SMALL)
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
    model = RQVAE(6, (8, 8), SMALL)
    latent = torch.randn(4, SMALL.latent_dim, requires_grad=True)
    quantized = model.quantize(latent)
    quantized.commitment.backward()
    entry = quantized.value.detach() - model.codebooks[1][quantized.codes[:, 1]].detach()
    first = latent.detach() - entry
    second = latent.detach() - quantized.value.detach()
    expected = SMALL.encoder_pull * 2 * (first + second) / 4
    torch.testing.assert_close(latent.grad, expected)


def test_codes_are_rebuilt_as_the_network_itself_rebuilds_them() -> None:
    x = torch.from_numpy(blobs(3, 50))
    model = RQVAE(16, (8, 4), SMALL)
    with torch.no_grad():
        rebuilt, quantized = model(x)
    torch.testing.assert_close(model.rebuilt(quantized.codes), rebuilt)


def test_the_last_distances_are_those_by_which_the_last_code_is_chosen() -> None:
    x = torch.from_numpy(blobs(3, 50))
    model = RQVAE(16, (8, 4), SMALL)
    distances = model.last_distances(x)
    assert distances.shape == (50, 4)
    assert torch.equal(distances.argmin(dim=1), model.codes(x)[:, -1])


def test_without_what_keeps_codebooks_alive_entries_die() -> None:
    x = torch.from_numpy(blobs(3, 400))
    kept = replace(SMALL, epochs=10)
    bare = replace(kept, codebook_start="drawn", revive=False)
    alive, dying = (
        fit_rqvae(x, (32, 32), config, seed=0).codes(x).numpy() for config in (kept, bare)
    )
    for level in range(2):
        assert used_share(alive[:, level], 32) > used_share(dying[:, level], 32) + 0.2


@pytest.mark.parametrize(
    ("epochs", "rate"),
    [(0, 1e-6), (150, 5.05e-5), (300, 1e-4), (400, 1e-4 * (300 / 400) ** 0.5), (500, 7.746e-5)],
)
def test_the_rate_of_the_paper_rises_for_300_epochs_and_falls_by_the_root(
    epochs: float, rate: float
) -> None:
    assert learning_rate(PAPER_IDENTIFIERS, epochs) == pytest.approx(rate, rel=1e-3)


def test_the_rate_stays_by_default() -> None:
    assert {learning_rate(SMALL, epochs) for epochs in (0.1, 1, 30)} == {1e-3}
