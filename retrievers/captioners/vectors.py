"""Generated captions with their vectors, where a teacher is to label them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cart.captions import Generated
from cart.config import TeacherConfig
from datasets.base import Item
from retrievers.base import Encoder, FloatArray
from retrievers.captioners.contract import Captioner


def generated_for(
    items: Sequence[Item],
    embeddings: FloatArray,
    captioner: Captioner | None,
    encoder: Encoder,
    teacher: TeacherConfig | None,
    most: int | None = None,
) -> Generated | None:
    """What a captioner says of items with ``embeddings`` [items, dim], at most so much of each;
    None where there is no captioner.

    With a teacher the encoder, which made the embeddings, reads each distinct caption once.
    """
    if captioner is None:
        return None
    generated = captioner.captions(items, embeddings)
    if most is not None:
        generated = generated.best(most)
    if teacher is None:
        return generated
    texts, _ = generated.flat()
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    vectors = encoder.encode_texts(list(distinct))
    return replace(generated, vectors=vectors[[distinct[text] for text in texts]])
