"""Training the RQ-VAE, and what keeps its codebooks alive."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn import functional as F

from cart.config import IdentifierConfig
from cart.identifiers.rqvae import RQVAE
from cart.monitor import Monitor


def fit_rqvae(
    x: Tensor,
    sizes: Sequence[int],
    config: IdentifierConfig,
    seed: int,
    monitor: Monitor | None = None,
) -> RQVAE:
    """Train codebooks of ``sizes`` on x [n, dim] by L = L_recon + alpha L_commit (equation 1).

    Dead entries are moved until the last fifth of the epochs, when the codes settle.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RQVAE(x.shape[1], sizes, config).to(x.device)
    if config.codebook_start == "k-means":
        _start_codebooks(model, x, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    settled = config.epochs - config.epochs // 5
    steps = -(-len(x) // config.batch_size)
    for epoch in range(config.epochs):
        order = torch.randperm(len(x), generator=random).to(x.device)
        for step, rows in enumerate(order.split(config.batch_size), 1):
            rate = learning_rate(config, epoch + step / steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            rebuilt, quantized = model(x[rows])
            reconstruction = F.mse_loss(rebuilt, x[rows], reduction="sum") / len(rows)
            loss = reconstruction + config.commitment * quantized.commitment
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if config.revive and epoch < settled:
            _revive_dead_codes(model, x, optimizer, random)
        if monitor is not None:
            monitor("identifiers", epoch + 1, config.epochs)
    return model.eval()


def learning_rate(config: IdentifierConfig, epochs: float) -> float:
    """The rate once so many ``epochs`` have gone by.

    It rises evenly from ``initial_rate`` over the warm-up. Then it stays, or falls with the inverse
    square root of the epochs, as fairseq's scheduler does (appendix C).
    """
    peak, warmup = config.learning_rate, config.warmup_epochs
    if epochs < warmup:
        return config.initial_rate + (peak - config.initial_rate) * epochs / warmup
    if config.decay == "none":
        return peak
    return peak * (max(1, warmup) / max(1, warmup, epochs)) ** 0.5


@torch.no_grad()
def _start_codebooks(model: RQVAE, x: Tensor, seed: int) -> None:
    """K-means on each codebook's residuals, so that every entry begins amid the data."""
    residual = model.encoder(x)
    for codebook in model.codebooks:
        clusters = min(len(codebook), len(x))
        kmeans = MiniBatchKMeans(clusters, random_state=seed, n_init=3, batch_size=4096)
        labels = torch.from_numpy(kmeans.fit_predict(residual.cpu().numpy())).long()
        centres = torch.from_numpy(kmeans.cluster_centers_).to(codebook)
        codebook[:clusters] = centres
        residual = residual - centres[labels.to(residual.device)]


@torch.no_grad()
def _revive_dead_codes(
    model: RQVAE, x: Tensor, optimizer: torch.optim.Adam, random: torch.Generator
) -> None:
    """Move every entry that no item uses onto a random item's residual."""
    quantized = model.quantize(model.encoder(x))
    for level, codebook in enumerate(model.codebooks):
        used = torch.bincount(quantized.codes[:, level], minlength=len(codebook)) > 0
        dead = torch.nonzero(~used).flatten()
        if not len(dead):
            continue
        chosen = torch.randint(len(x), (len(dead),), generator=random)
        codebook[dead] = quantized.residuals[level][chosen.to(x.device)]
        for moment in ("exp_avg", "exp_avg_sq"):
            if moment in optimizer.state[codebook]:
                optimizer.state[codebook][moment][dead] = 0
