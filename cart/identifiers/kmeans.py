"""The k-means of the coarse token and of the tree."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from cart.identifiers.quantizers import FloatArray, IntArray


def kmeans(x: FloatArray, clusters: int, seed: int) -> tuple[FloatArray, IntArray]:
    """Centres [at most clusters, dim] of x [n, dim], and the cluster of each row [n].

    scikit-learn's MiniBatchKMeans as it is by default (appendix C), with the three starts that
    were the default until its version 1.4. Fewer different rows than clusters are a centre each,
    and no cluster is left without a row.
    """
    different, first, labels = np.unique(_bytes(x), return_index=True, return_inverse=True)
    if len(different) <= clusters:
        return x[first], labels
    found = MiniBatchKMeans(clusters, random_state=seed, n_init=3).fit(x)
    used, labels = np.unique(found.labels_, return_inverse=True)
    return found.cluster_centers_[used], labels


def _bytes(x: FloatArray) -> np.ndarray:
    """Each row of x as one value [n]."""
    rows = np.ascontiguousarray(x)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
