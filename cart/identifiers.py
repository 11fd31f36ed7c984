"""From item embeddings to identifiers (k, v1, ..., vM, u); section 3.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from cart.config import IdentifierConfig
from cart.rqvae import RQVAE, Monitor, fit_rqvae

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quantizers:
    """What turns an embedding into its code prefix.

    centres  [K, dim], the coarse clusters
    scale    root mean square of the residuals, which the RQ-VAE sees at unit scale
    rqvae    trained on the scaled residuals
    """

    centres: Tensor
    scale: float
    rqvae: RQVAE

    def codes(self, embeddings: FloatArray) -> IntArray:
        """Code prefixes [n, 1 + codebooks] of embeddings [n, dim]."""
        x = torch.from_numpy(embeddings).to(self.centres)
        coarse = torch.cat(
            [torch.cdist(part, self.centres).argmin(dim=1) for part in x.split(65536)]
        )
        fine = self.rqvae.codes((x - self.centres[coarse]) / self.scale)
        found: IntArray = torch.cat([coarse[:, None], fine], dim=1).cpu().numpy()
        return found


def fit_quantizers(
    embeddings: FloatArray,
    config: IdentifierConfig,
    seed: int,
    device: str = "cpu",
    monitor: Monitor | None = None,
) -> Quantizers:
    """Fit the coarse clusters and the RQ-VAE on embeddings [n, dim].

    Fewer than ``coarse_size`` different items give as many clusters as there are items.
    """
    clusters = min(config.coarse_size, len(np.unique(embeddings, axis=0)))
    kmeans = MiniBatchKMeans(clusters, random_state=seed, n_init=3)
    kmeans.fit(embeddings)
    x = torch.from_numpy(embeddings).to(device)
    centres = torch.from_numpy(kmeans.cluster_centers_).to(x)
    residual = x - centres[torch.cdist(x, centres).argmin(dim=1)]
    scale = max(float(residual.square().mean().sqrt()), 1e-6)
    return Quantizers(centres, scale, fit_rqvae(residual / scale, config, seed, monitor))


def unique_tokens(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """The counter token u of each row of prefixes [n, length]; section 3.2.3.

    A prefix's first item gets 0, the next 1, and so on, in row order. ``taken`` [m, length + 1]
    are identifiers already given out: counting goes on behind the highest of each prefix.
    """
    following: dict[tuple[int, ...], int] = {}
    for *prefix, counter in [] if taken is None else taken.tolist():
        key = tuple(prefix)
        following[key] = max(following.get(key, 0), counter + 1)
    tokens = np.empty(len(prefixes), dtype=np.int64)
    for row, prefix in enumerate(prefixes.tolist()):
        key = tuple(prefix)
        tokens[row] = following.get(key, 0)
        following[key] = int(tokens[row]) + 1
    return tokens


def identifiers(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """Identifiers [n, length + 1]: code prefixes with their counter tokens."""
    return np.concatenate([prefixes, unique_tokens(prefixes, taken)[:, None]], axis=1)


def collision_ceiling(prefixes: IntArray) -> float:
    """Share of the items whose code prefix is theirs alone.

    The counter token carries no meaning, so no more than these can be told apart by content.
    """
    _, counts = np.unique(prefixes, axis=0, return_counts=True)
    return float((counts == 1).sum() / len(prefixes))


def perplexity(codes: IntArray, size: int) -> float:
    """exp(entropy) of one level's codes [n]: how many of ``size`` entries are really in use."""
    share = np.bincount(codes, minlength=size) / len(codes)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def level_sizes(config: IdentifierConfig, unique: int) -> Sequence[int]:
    """Vocabulary of each identifier position, the counter's being ``unique``."""
    return (config.coarse_size, *config.codebook_sizes, unique)
