"""From item embeddings to identifiers (k, v1, ..., vM, u); section 3.2."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from cart.config import IdentifierConfig
from cart.monitor import Monitor
from cart.prefix_tree.ordering import keys
from cart.rqvae import RQVAE, fit_rqvae

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

# Items that the codebooks are fitted on, where there are more: their centres are settled by then.
FITTED_ITEMS = 200_000
# Embeddings that are assigned at once: what is computed of them stays in a processor's cache.
BLOCK = 4096


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

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes at each position."""
        return (len(self.centres), *(len(codebook) for codebook in self.rqvae.codebooks))

    def codes(self, embeddings: FloatArray) -> IntArray:
        """Code prefixes [n, 1 + codebooks] of embeddings [n, dim]."""
        found = np.empty((len(embeddings), len(self.sizes)), dtype=np.int64)
        for start in range(0, len(embeddings), BLOCK):
            part = slice(start, start + BLOCK)
            x = _tensor(embeddings[part]).to(self.centres)
            coarse = _nearest(x, self.centres)
            fine = self.rqvae.codes((x - self.centres[coarse]) / self.scale)
            found[part] = torch.cat([coarse[:, None], fine], dim=1).cpu().numpy()
        return found


def _tensor(embeddings: FloatArray) -> Tensor:
    """The same memory, or a copy of what may not be written to, such as a file mapped to read."""
    return torch.from_numpy(np.require(embeddings, requirements="W"))


def _nearest(x: Tensor, centres: Tensor) -> Tensor:
    """Index [n] of the centre [centres, dim] that is nearest to each of x [n, dim].

    |x - c|^2 less |x|^2, which all centres share, is |c|^2 - 2 x c: one matrix product.
    """
    return torch.addmm(centres.square().sum(dim=1), x, centres.T, alpha=-2).argmin(dim=1)


def assign(quantizers: Quantizers, blocks: Iterable[FloatArray]) -> IntArray:
    """Code prefixes [n, 1 + codebooks] of embeddings that come in blocks [rows, dim].

    One block is held at a time, and its codes in the smallest integers.
    """
    small = np.min_scalar_type(max(quantizers.sizes) - 1)
    found = [quantizers.codes(block).astype(small) for block in blocks]
    empty = np.empty((0, len(quantizers.sizes)), dtype=small)
    return np.concatenate([empty, *found]).astype(np.int64)


def fit_quantizers(
    embeddings: FloatArray,
    config: IdentifierConfig,
    seed: int,
    device: str = "cpu",
    monitor: Monitor | None = None,
    sample: int = FITTED_ITEMS,
) -> Quantizers:
    """Fit the coarse clusters and the RQ-VAE on embeddings [n, dim].

    Of more than ``sample`` items as many are drawn by ``seed``. Fewer than ``coarse_size``
    different items give as many clusters as there are items.
    """
    if len(embeddings) > sample:
        chosen = np.random.default_rng(seed).choice(len(embeddings), sample, replace=False)
        embeddings = embeddings[np.sort(chosen)]
    clusters = min(config.coarse_size, len(np.unique(embeddings, axis=0)))
    kmeans = MiniBatchKMeans(clusters, random_state=seed, n_init=3)
    kmeans.fit(embeddings)
    x = _tensor(embeddings).to(device)
    centres = torch.from_numpy(kmeans.cluster_centers_).to(x)
    residual = x - centres[torch.cdist(x, centres).argmin(dim=1)]
    scale = max(float(residual.square().mean().sqrt()), 1e-6)
    return Quantizers(centres, scale, fit_rqvae(residual / scale, config, seed, monitor))


def unique_tokens(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """The counter token u of each row of prefixes [n, length]; section 3.2.3.

    A prefix's first item gets 0, the next 1, and so on, in row order. ``taken`` [m, length + 1]
    are identifiers already given out: counting goes on behind the highest of each prefix.
    """
    if not len(prefixes):
        return np.empty(0, dtype=np.int64)
    if taken is None:
        taken = np.empty((0, prefixes.shape[1] + 1), dtype=np.int64)
    own, given = keys(prefixes, taken[:, :-1])
    order = np.argsort(own, kind="stable")
    ranked = own[order]
    first = _run_starts(ranked)
    distinct = ranked[first]
    begin = np.zeros(len(distinct), dtype=np.int64)
    again = np.isin(given, distinct)
    places = np.searchsorted(distinct, given[again])
    np.maximum.at(begin, places, taken[again, -1] + 1)
    tokens = np.empty(len(prefixes), dtype=np.int64)
    runs = np.diff(first, append=len(ranked))
    tokens[order] = np.arange(len(prefixes)) + np.repeat(begin - first, runs)
    return tokens


def _run_starts(ascending: IntArray) -> IntArray:
    """Where each distinct value of ascending ones [n] begins."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[:1] - 1))


def identifiers(prefixes: IntArray, taken: IntArray | None = None) -> IntArray:
    """Identifiers [n, length + 1]: code prefixes with their counter tokens."""
    return np.concatenate([prefixes, unique_tokens(prefixes, taken)[:, None]], axis=1)


def items_by_prefix(prefixes: IntArray) -> IntArray:
    """How many items have each of the code prefixes in use [distinct prefixes]."""
    (numbers,) = keys(prefixes)
    numbers.sort()
    return np.diff(_run_starts(numbers), append=len(numbers))


def collision_ceiling(prefixes: IntArray) -> float:
    """Share of the items whose code prefix is theirs alone.

    The counter token carries no meaning, so no more than these can be told apart by content.
    """
    return float((items_by_prefix(prefixes) == 1).sum() / len(prefixes))


def even_ceiling(items: int, sizes: Sequence[int]) -> float:
    """The collision ceiling to expect of ``items`` that spread evenly over all code prefixes.

    With lambda = items / (K V_1 V_2 ...) items a prefix, Poisson's law leaves a share of
    exp(-lambda) of the items alone with theirs. Real codes are less even: their ceiling is lower.
    """
    return math.exp(-items / math.prod(sizes))


def sizes_for(
    items: int, least: Sequence[int] = (128, 128, 128), ceiling: float = 0.9
) -> tuple[int, ...]:
    """Sizes (K, V_1, ..., V_M) of the codes that ``items`` want.

    The sizes ``least``, by default the paper's, all doubled until ``even_ceiling`` is no less than
    ``ceiling``, which must be below 1.
    """
    sizes = tuple(least)
    while even_ceiling(items, sizes) < ceiling:
        sizes = tuple(2 * size for size in sizes)
    return sizes


def perplexity(codes: IntArray, size: int) -> float:
    """exp(entropy) of one level's codes [n]: how many of ``size`` entries are really in use."""
    share = np.bincount(codes, minlength=size) / len(codes)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def level_sizes(config: IdentifierConfig, unique: int) -> Sequence[int]:
    """Vocabulary of each identifier position, the counter's being ``unique``."""
    return (config.coarse_size, *config.codebook_sizes, unique)
