"""Fitting the quantizers of every scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cart.config import IdentifierConfig
from cart.identifiers.controls import RandomCodes, deal_out
from cart.identifiers.kmeans import kmeans
from cart.identifiers.kmeans_tree import fit_tree
from cart.identifiers.quantizers import FloatArray, Quantizers, tensor
from cart.identifiers.residual import CoarseFine, Fine, RQVAEAlone
from cart.identifiers.rqvae_training import fit_rqvae
from cart.monitor import Monitor

# Items that the codebooks are fitted on, where there are more: their centres are settled by then.
FITTED_ITEMS = 200_000


def fit_quantizers(
    embeddings: FloatArray,
    config: IdentifierConfig,
    seed: int,
    device: str = "cpu",
    monitor: Monitor | None = None,
    sample: int = FITTED_ITEMS,
) -> Quantizers:
    """Fit ``config.scheme`` on embeddings [n, dim].

    Of more than ``sample`` items as many are drawn by ``seed``. Fewer than ``coarse_size``
    different items give as many clusters as there are items.
    """
    if config.scheme == "random":
        return RandomCodes(config.sizes, seed)
    if len(embeddings) > sample:
        chosen = np.random.default_rng(seed).choice(len(embeddings), sample, replace=False)
        embeddings = embeddings[np.sort(chosen)]
    if config.scheme == "shuffled":
        fitted = fit_quantizers(
            embeddings, replace(config, scheme="coarse-fine"), seed, device, monitor, sample
        )
        return deal_out(fitted.codes(embeddings), config.sizes, embeddings, seed)
    x = tensor(embeddings).to(device)
    if config.scheme == "rq-vae":
        mean = x.mean(dim=0)
        return RQVAEAlone(mean, _fine(x - mean, config.sizes, config, seed, monitor))
    if config.is_tree:
        return fit_tree(embeddings, config.sizes, seed, monitor)
    coarse, *fine = config.sizes
    centres = torch.from_numpy(kmeans(embeddings, coarse, seed)[0]).to(x)
    residual = x - centres[torch.cdist(x, centres).argmin(dim=1)]
    return CoarseFine(centres, _fine(residual, fine, config, seed, monitor))


def _fine(
    x: Tensor,
    sizes: Sequence[int],
    config: IdentifierConfig,
    seed: int,
    monitor: Monitor | None,
) -> Fine:
    scale = max(float(x.square().mean().sqrt()), 1e-6)
    return Fine(scale, fit_rqvae(x / scale, sizes, config, seed, monitor))
