"""The residual-quantized autoencoder that makes the fine tokens (section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from cart.config import IdentifierConfig


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
    """Encoder E, codebooks C_1 .. C_M of ``sizes`` that share nothing, and decoder D."""

    def __init__(self, dim: int, sizes: Sequence[int], config: IdentifierConfig) -> None:
        super().__init__()
        layers = (dim, *config.hidden, config.latent_dim)
        self.encoder = _dense(layers)
        self.decoder = _dense(layers[::-1])
        self.codebooks = nn.ParameterList(
            nn.Parameter(torch.randn(size, config.latent_dim)) for size in sizes
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
    def codes(self, x: Tensor) -> Tensor:
        """Codes int64 [n, codebooks] of x [n, dim]."""
        return self.quantize(self.encoder(x)).codes

    @torch.no_grad()
    def rebuilt(self, codes: Tensor) -> Tensor:
        """What D makes [n, dim] of codes [n, codebooks]."""
        entries = [codebook[code] for codebook, code in zip(self.codebooks, codes.T, strict=True)]
        return self.decoder(torch.stack(entries).sum(dim=0))

    @torch.no_grad()
    def last_distances(self, x: Tensor) -> Tensor:
        """Squared distances [n, V_M] of r_{M-1} of x [n, dim] to the entries of C_M."""
        residual = self.quantize(self.encoder(x)).residuals[-1]
        return torch.cdist(residual, self.codebooks[-1]).square()
