"""The order in which texts are asked, so that no cache can answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from datasets.candidates import query_texts


def questions(count: int, seed: int) -> Iterator[str]:
    """``count`` different texts in a drawn order, then all of them in another, endless."""
    texts = query_texts(count, seed)
    draw = np.random.default_rng(seed)
    while True:
        for row in draw.permutation(len(texts)):
            yield texts[row]
