"""What is said of items: by people, and by a captioner that never saw what people said.

The two are different types so that one cannot stand for the other: human captions are learned
from ``Captioned``, which holds training pairs (and validation pairs, to choose by), and a gallery
is learned from ``Generated`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Captioned:
    """Items with human captions: ``captions[i]`` is of the item at ``rows[i]``.

    embeddings       [items, dim]
    caption_vectors  [captions, dim] in the items' space, or None where there is no text tower
    """

    embeddings: FloatArray
    captions: Sequence[str]
    rows: Sequence[int]
    caption_vectors: FloatArray | None = None


@dataclass(frozen=True)
class Generated:
    """Queries made for items of which a captioner saw the media or the embedding only.

    texts    of each item, the best first; an item may have none
    source   what made them, as ``neighbours`` or a hub id with its revision
    seen     whether each text is of its item, and not of one like it
    vectors  [texts, dim] of ``flat``'s texts in the space of the items' embeddings, by the
             tower of texts beside them; None where nobody asked it
    """

    texts: Sequence[Sequence[str]]
    source: str
    seen: bool = False
    vectors: FloatArray | None = None

    def best(self, most: int) -> Generated:
        """At most so many of each item; the vectors are left behind."""
        return Generated([said[:most] for said in self.texts], self.source, self.seen)

    def flat(self) -> tuple[list[str], list[int]]:
        """Every text, and the row of its item."""
        texts = [text for said in self.texts for text in said]
        rows = [row for row, said in enumerate(self.texts) for _ in said]
        return texts, rows
