"""What the parts of a generative retriever reach by exact search, on the same questions.

A generative retriever is taught by an encoder's item embeddings and by generated captions. What
either of them finds without any generation bounds what can be expected of it, and says whether
the generation gave anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cart.captions import Generated
from retrievers.base import Encoder, FloatArray, IntArray

Texts = tuple[tuple[str, ...], ...]

DEPTHS = (1, 10)
# Similarities held at a time, 4 bytes each.
VALUES_AT_ONCE = 16_000_000


@dataclass(frozen=True)
class Taught:
    """What a gallery is taught by: the vector and the generated texts of each item.

    vectors  [items, dim]
    texts    of each item, which may have none; None where nothing was generated
    """

    vectors: FloatArray
    texts: Texts | None

    @staticmethod
    def of(vectors: FloatArray, generated: Generated | None) -> Taught:
        if generated is None:
            return Taught(vectors, None)
        return Taught(vectors, tuple(tuple(said) for said in generated.texts))

    def with_more(self, vectors: FloatArray) -> Taught:
        """With items behind these of which nothing was generated."""
        silent: Texts = ((),) * len(vectors)
        texts = None if self.texts is None else (*self.texts, *silent)
        return Taught(np.concatenate([self.vectors, vectors]), texts)

    def without(self, rows: Sequence[int]) -> Taught:
        """Without some rows; those behind them move up."""
        gone = set(rows)
        kept = [row for row in range(len(self.vectors)) if row not in gone]
        texts = None if self.texts is None else tuple(self.texts[row] for row in kept)
        return Taught(self.vectors[kept], texts)

    def retold(self, rows: Sequence[int], generated: Generated) -> Taught:
        """With what was generated of ``rows`` in place of what was said of them."""
        silent: Texts = ((),) * len(self.vectors)
        texts = list(silent if self.texts is None else self.texts)
        for row, said in zip(rows, generated.texts, strict=True):
            texts[row] = tuple(said)
        return replace(self, texts=tuple(texts))


def ceilings(
    encoder: Encoder, taught: Taught, queries: Sequence[str], relevant: IntArray
) -> dict[str, float]:
    """Recall as "control/NAME R@K": of chance, of the teacher and of the generated captions.

    relevant  gallery row of each query [queries]; a query without one (-1) is left out

    "teacher" ranks items by the encoder's text and item vectors, which is the dual tower that
    the identifiers are made from. "captions max" and "captions mean" rank an item by how near the
    encoder's text tower finds the query to the item's generated captions: to the nearest one, or
    to all of them on average. Tied items share their places.
    """
    asked = np.flatnonzero(relevant >= 0)
    if not len(asked):
        return {}
    right = relevant[asked]
    vectors = encoder.encode_texts([queries[place] for place in asked.tolist()])
    found = {"chance": chance(len(taught.vectors)), "teacher": teacher(vectors, taught, right)}
    if taught.texts is not None and any(taught.texts):
        distinct = list(dict.fromkeys(text for said in taught.texts for text in said))
        of_text = encoder.encode_texts(distinct)
        rows_of = {text: row for row, text in enumerate(distinct)}
        said = [[rows_of[text] for text in texts] for texts in taught.texts]
        found["captions max"] = captions_max(vectors, of_text, said, right)
        found["captions mean"] = captions_mean(vectors, of_text, said, right)
    return {
        f"control/{name} R@{depth}": value
        for name, recalls in found.items()
        for depth, value in recalls.items()
    }


def chance(items: int) -> Mapping[int, float]:
    """Recall of a random ranking, by depth."""
    return {depth: min(1.0, depth / items) for depth in DEPTHS}


def teacher(queries: FloatArray, taught: Taught, right: IntArray) -> Mapping[int, float]:
    """Recall by depth of queries [queries, dim] that ask for the rows ``right`` [queries]."""
    blocks = (queries[part] @ taught.vectors.T for part in _parts(queries, len(taught.vectors)))
    return recall(blocks, right)


def captions_max(
    queries: FloatArray, texts: FloatArray, said: Sequence[Sequence[int]], right: IntArray
) -> Mapping[int, float]:
    """Recall by depth where an item is as near as the nearest of its captions.

    texts  vectors [texts, dim]
    said   rows of ``texts`` of each item; one that has none comes last
    """
    heard = [row for row, rows in enumerate(said) if rows]
    owned = np.concatenate([np.array(said[row], dtype=np.int64) for row in heard])
    starts = np.cumsum([0, *(len(said[row]) for row in heard[:-1])])

    def scores() -> Iterator[FloatArray]:
        for part in _parts(queries, max(len(owned), len(texts), len(said))):
            near = queries[part] @ texts.T
            best = np.full((len(near), len(said)), -np.inf, np.float32)
            best[:, heard] = np.maximum.reduceat(near[:, owned], starts, axis=1)
            yield best

    return recall(scores(), right)


def captions_mean(
    queries: FloatArray, texts: FloatArray, said: Sequence[Sequence[int]], right: IntArray
) -> Mapping[int, float]:
    """The same where an item is as near as its captions are on average."""
    silent = np.array([not rows for rows in said])
    centres = np.stack(
        [texts[list(rows)].mean(axis=0) if rows else np.zeros_like(texts[0]) for rows in said]
    )

    def scores() -> Iterator[FloatArray]:
        for part in _parts(queries, len(centres)):
            near = queries[part] @ centres.T
            near[:, silent] = -np.inf
            yield near

    return recall(scores(), right)


def recall(blocks: Iterator[npt.NDArray[np.float32]], right: IntArray) -> Mapping[int, float]:
    """Recall by depth from scores [queries, items] that come in blocks of queries.

    right  [queries] row of the one right item. Items that share its score stand in random order.
    """
    sums, start = dict.fromkeys(DEPTHS, 0.0), 0
    for scores in blocks:
        wanted = right[start : start + len(scores), None]
        start += len(scores)
        own = np.take_along_axis(scores, wanted, axis=1)
        above = (scores > own).sum(axis=1)
        tied = (scores == own).sum(axis=1)
        for depth in DEPTHS:
            sums[depth] += float((np.clip(depth - above, 0, tied) / tied).sum())
    return {depth: total / len(right) for depth, total in sums.items()}


def _parts(queries: FloatArray, width: int) -> Iterator[slice]:
    """Blocks of queries whose similarities to ``width`` things fit into memory."""
    step = max(1, VALUES_AT_ONCE // max(1, width))
    for start in range(0, len(queries), step):
        yield slice(start, start + step)
