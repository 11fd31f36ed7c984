"""The residual-quantized autoencoder that makes the fine tokens (section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import IdentifierConfig
from cart.monitor import Monitor


@dataclass(frozen=True)
class Quantized:
    """Q(z) of some latents.

    codes        int64 [n, codebooks], v_1 .. v_M
    value        [n, latent], the sum of the chosen entries
    commitment   scalar, the commitment loss of equation 1
    residuals    r_{m-1} for each codebook m, [codebooks, n, latent], without gradient
    """

    codes: Tensor
    value: Tensor
    commitment: Tensor
    residuals: Tensor


def _dense(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ELU()]
    return nn.Sequential(*layers[:-1])


class RQVAE(nn.Module):
    """Encoder E, codebooks C_1 .. C_M that share nothing, and decoder D."""

    def __init__(self, dim: int, config: IdentifierConfig) -> None:
        super().__init__()
        sizes = (dim, *config.hidden, config.latent_dim)
        self.encoder = _dense(sizes)
        self.decoder = _dense(sizes[::-1])
        self.codebooks = nn.ParameterList(
            nn.Parameter(torch.randn(size, config.latent_dim)) for size in config.codebook_sizes
        )
        self.encoder_pull = config.encoder_pull

    def quantize(self, latent: Tensor) -> Quantized:
        """Equation 1's quantizer: nearest entry of each codebook in turn. latent [n, latent]."""
        residual = latent
        value = torch.zeros_like(latent)
        commitment = latent.new_zeros(())
        codes, residuals = [], []
        for codebook in self.codebooks:
            residuals.append(residual.detach())
            code = torch.cdist(residual.detach(), codebook.detach()).argmin(dim=1)
            entry = codebook[code]
            # Summed over dimensions: a mean there lets the codebooks collapse.
            to_entry = (residual.detach() - entry).square().sum(dim=1).mean()
            to_encoder = (residual - entry.detach()).square().sum(dim=1).mean()
            commitment = commitment + to_entry + self.encoder_pull * to_encoder
            value = value + entry
            residual = residual - entry
            codes.append(code)
        return Quantized(torch.stack(codes, dim=1), value, commitment, torch.stack(residuals))

    def forward(self, x: Tensor) -> tuple[Tensor, Quantized]:
        """Reconstruction [n, dim] of x [n, dim], with a straight-through gradient."""
        latent = self.encoder(x)
        quantized = self.quantize(latent)
        passed = latent + (quantized.value - latent).detach()
        return self.decoder(passed), quantized

    @torch.no_grad()
    def codes(self, x: Tensor, chunk: int = 65536) -> Tensor:
        """Codes int64 [n, codebooks] of x [n, dim]."""
        return torch.cat([self.quantize(self.encoder(part)).codes for part in x.split(chunk)])


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


def fit_rqvae(
    x: Tensor, config: IdentifierConfig, seed: int, monitor: Monitor | None = None
) -> RQVAE:
    """Train on residuals x [n, dim] by L = L_recon + alpha L_commit (equation 1).

    Codebooks begin at k-means centres and dead entries are moved until the last fifth of the
    epochs, when the codes settle.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RQVAE(x.shape[1], config).to(x.device)
    _start_codebooks(model, x, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    settled = config.epochs - config.epochs // 5
    for epoch in range(config.epochs):
        order = torch.randperm(len(x), generator=random).to(x.device)
        for rows in order.split(config.batch_size):
            rebuilt, quantized = model(x[rows])
            reconstruction = F.mse_loss(rebuilt, x[rows], reduction="sum") / len(rows)
            loss = reconstruction + config.commitment * quantized.commitment
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if epoch < settled:
            _revive_dead_codes(model, x, optimizer, random)
        if monitor is not None:
            monitor("identifiers", epoch + 1, config.epochs)
    return model.eval()
