"""Embeddings that lie in clusters, as those of items do."""

from __future__ import annotations

import numpy as np


def blobs(seed: int, items: int, dim: int = 16) -> np.ndarray:
    """[items, dim], about twelve centres."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, dim))
    found = centres[random.integers(0, 12, items)] + 0.3 * random.normal(size=(items, dim))
    return found.astype(np.float32)
