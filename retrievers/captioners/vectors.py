"""Generated captions with their vectors, where a teacher is to label them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cart.captions import Captioned, Generated
from cart.config import TeacherConfig
from datasets.base import Item
from retrievers.base import Encoder, FloatArray
from retrievers.captioners.contract import Captioner


@dataclass(frozen=True)
class TextVectors:
    """Vectors of texts by the encoder that made the item embeddings.

    Those of training captions, which most captioners lend, were made when the pairs were read.
    """

    encoder: Encoder
    train: Captioned

    @staticmethod
    def for_teacher(
        teacher: TeacherConfig | None, encoder: Encoder, train: Captioned
    ) -> TextVectors | None:
        """None where there is no teacher to show them to."""
        return None if teacher is None else TextVectors(encoder, train)

    def of(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]; a text that is new is encoded once, however often it comes."""
        known = self._of_training
        unknown = dict.fromkeys(text for text in texts if text not in known)
        new = {text: row for row, text in enumerate(unknown)}
        encoded = self.encoder.encode_texts(list(new))
        vectors = np.empty((len(texts), self.encoder.dim), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = known[text] if text in known else encoded[new[text]]
        return vectors

    @cached_property
    def _of_training(self) -> dict[str, FloatArray]:
        vectors = self.train.caption_vectors
        return {} if vectors is None else dict(zip(self.train.captions, vectors, strict=True))


def generated_for(
    items: Sequence[Item],
    embeddings: FloatArray,
    captioner: Captioner | None,
    vectors: TextVectors | None,
    most: int | None = None,
) -> Generated | None:
    """What a captioner says of items with ``embeddings`` [items, dim], at most so much of each,
    with its vectors where there are any to be had; None where there is no captioner."""
    if captioner is None:
        return None
    generated = captioner.captions(items, embeddings)
    if most is not None:
        generated = generated.best(most)
    if vectors is None:
        return generated
    return replace(generated, vectors=vectors.of(generated.flat()[0]))
