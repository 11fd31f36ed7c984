"""Training captions that are offered to the gallery; needs no weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cart.captions.neighbours import NeighbourCaptioner, unit
from cart.captions.pairs import Captioned, FloatArray, Generated
from cart.config import CaptionConfig

IntArray = npt.NDArray[np.int64]

# Similarities that are held at a time, 4 bytes each.
VALUES_AT_ONCE = 16_000_000


@dataclass(frozen=True)
class OfferingCaptioner:
    """Gives every training caption to the item that it lies nearest to.

    ``NeighbourCaptioner`` asks for each item what fits it, so that some captions are lent often
    and many never; here all of them are heard, each once. An item that is given fewer than
    ``config.fewest`` asks its neighbours for as many. It holds training captions only.

    Raises ValueError where the captions have no vectors.
    """

    train: Captioned
    config: CaptionConfig

    def __post_init__(self) -> None:
        if self.train.caption_vectors is None:
            raise ValueError("captions without vectors cannot be offered: lend them to neighbours")

    def captions(self, embeddings: FloatArray) -> Generated:
        """What is given to each item of embeddings [items, dim]."""
        nearest, closeness = self._nearest(embeddings)
        given: list[dict[str, None]] = [{} for _ in range(len(embeddings))]
        for caption in np.argsort(-closeness, kind="stable").tolist():
            given[nearest[caption]][self.train.captions[caption]] = None
        short = [row for row, said in enumerate(given) if len(said) < self.config.fewest]
        if short:
            lent = NeighbourCaptioner(self.train, self.config).captions(embeddings[short])
            for row, said in zip(short, lent.texts, strict=True):
                given[row] = dict.fromkeys([*given[row], *said[: self.config.fewest]])
        return Generated([list(said) for said in given], "offered training captions")

    def _nearest(self, embeddings: FloatArray) -> tuple[IntArray, FloatArray]:
        """The item [captions] that each training caption lies nearest to, and its cosine."""
        vectors = self.train.caption_vectors
        assert vectors is not None
        items = unit(embeddings).T
        rows = np.empty(len(vectors), dtype=np.int64)
        closeness = np.empty(len(vectors), dtype=np.float32)
        step = max(1, VALUES_AT_ONCE // max(1, len(embeddings)))
        for start in range(0, len(vectors), step):
            part = slice(start, start + step)
            similar = unit(vectors[part]) @ items
            rows[part], closeness[part] = similar.argmax(axis=1), similar.max(axis=1)
        return rows, closeness
