"""The distribution that candidates and the queries for them are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

LATENT = 64
THEMES, CLUSTERS_A_THEME = 1000, 64
# The share of a latent vector's variance between themes, between clusters and within one.
BETWEEN_THEMES, BETWEEN_CLUSTERS, WITHIN = 0.5, 0.25, 0.25
# Of the variance along the j-th latent direction, counted from 1, in j^-DECAY.
DECAY = 1.0
# Length of the noise in all directions beside a latent vector of length 1.
NOISE = 0.25
# Between a query and the vector of the candidates' kind that it was made from.
QUERY_DEGREES = 40.0

# What a generator is for: no two draws share one.
_SHAPE, _CANDIDATES, _QUERIES = range(3)


@dataclass(frozen=True)
class Mixture:
    """Unit vectors in clusters within clusters, which lie near a 64-dimensional subspace.

    1,000 themes whose weights fall as a power of their rank hold 64 clusters each, of random
    weight and tightness. A vector is its cluster's centre and a Gaussian around it, all within
    64 latent directions of falling variance, scaled to length 1, carried to ``dim`` by an
    orthonormal map, disturbed by noise of length 0.25 in all directions and scaled again. So most
    of the variance lies in few directions, neighbours are mostly but not only of one cluster, and
    clusters differ in size and density a hundredfold: lists, graphs and product codes of an index
    meet on it what they meet on learned embeddings, and not on isotropic noise.

    A query is such a vector turned by 40 degrees towards a latent direction of its own: it lies
    in the same subspace but outside the candidates, as vectors of texts lie outside those of
    pictures, and its neighbours are spread over many clusters.

    cumulative  [clusters] of their weights; the last is 1
    centres     [clusters, latent]
    spread      [clusters] standard deviation around the centre, of all directions together
    scale       [latent] standard deviation by direction; the squares sum to 1
    basis       [latent, dim], orthonormal rows
    """

    seed: int
    cumulative: npt.NDArray[np.float64]
    centres: FloatArray
    spread: FloatArray
    scale: FloatArray
    basis: FloatArray

    def candidates(self, block: int, rows: int) -> FloatArray:
        """[rows, dim] of a block, the same whatever other blocks were drawn."""
        random = np.random.default_rng([self.seed, _CANDIDATES, block])
        return self._carried(self._latent(random, rows), random)

    def queries(self, block: int, rows: int) -> FloatArray:
        """[rows, dim] of a block of queries, likewise."""
        random = np.random.default_rng([self.seed, _QUERIES, block])
        latent = self._latent(random, rows)
        aside = random.standard_normal(latent.shape, np.float32) * self.scale
        aside -= np.einsum("ij,ij->i", aside, latent)[:, None] * latent
        angle = np.radians(QUERY_DEGREES)
        turned = np.cos(angle) * latent + np.sin(angle) * _unit(aside)
        return self._carried(turned.astype(np.float32), random)

    def _latent(self, random: np.random.Generator, rows: int) -> FloatArray:
        """[rows, latent], of length 1."""
        cluster = np.searchsorted(self.cumulative, random.random(rows), side="right")
        around = random.standard_normal((rows, len(self.scale)), np.float32) * self.scale
        return _unit(self.centres[cluster] + self.spread[cluster, None] * around)

    def _carried(self, latent: FloatArray, random: np.random.Generator) -> FloatArray:
        dim = self.basis.shape[1]
        # Uniform numbers are drawn six times as fast as normal ones.
        vectors = random.random((len(latent), dim), np.float32)
        vectors -= np.float32(0.5)
        vectors *= np.float32(NOISE * np.sqrt(12 / dim))
        vectors += latent @ self.basis
        return _unit(vectors)


@lru_cache(maxsize=2)
def mixture(dim: int, seed: int) -> Mixture:
    """The one mixture of a width and a seed. Below 64 dimensions all of them are latent."""
    random = np.random.default_rng([seed, _SHAPE, dim])
    latent = min(LATENT, dim)
    variance = np.arange(1.0, latent + 1) ** -DECAY
    scale = np.sqrt(variance / variance.sum()).astype(np.float32)

    def scattered(share: float, *shape: int) -> FloatArray:
        return np.float32(np.sqrt(share)) * scale * random.standard_normal((*shape, latent), "f4")

    centres = scattered(BETWEEN_THEMES, THEMES, 1) + scattered(
        BETWEEN_CLUSTERS, THEMES, CLUSTERS_A_THEME
    )
    weights = np.arange(1.0, THEMES + 1)[:, None] ** -0.8 * random.exponential(
        size=(THEMES, CLUSTERS_A_THEME)
    )
    cumulative = np.cumsum(weights)
    tightness = random.lognormal(sigma=0.3, size=len(cumulative))
    turn, _ = np.linalg.qr(random.standard_normal((dim, latent)))
    return Mixture(
        seed=seed,
        cumulative=cumulative / cumulative[-1],
        centres=centres.reshape(-1, latent),
        spread=(np.sqrt(WITHIN) * tightness).astype(np.float32),
        scale=scale,
        basis=np.ascontiguousarray(turn.T, np.float32),
    )


def _unit(rows: FloatArray) -> FloatArray:
    """The rows scaled to length 1, in place."""
    rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows
