"""The captioner that needs no weights, and what may not enter training."""

from __future__ import annotations

import numpy as np

from cart.captions import Captioned, NeighbourCaptioner
from cart.config import CaptionConfig

AXES = np.eye(4, dtype=np.float32)
TRAIN = Captioned(
    embeddings=AXES[:3],
    captions=("a dog", "one dog", "a cat", "a red bus", "a dog"),
    rows=(0, 0, 1, 2, 0),
)


def test_the_nearest_item_lends_first_and_a_caption_is_lent_once() -> None:
    item = np.array([[0.9, 0.4, 0.1, 0]], dtype=np.float32)
    captioner = NeighbourCaptioner(TRAIN, CaptionConfig(neighbours=2, captions_per_item=9))
    assert captioner.captions(item).texts == [["a dog", "one dog", "a cat"]]


def test_no_more_captions_than_asked_from_no_more_neighbours_than_asked() -> None:
    items = np.array([[0.9, 0.4, 0.1, 0], [0, 0, 1, 0]], dtype=np.float32)
    captioner = NeighbourCaptioner(TRAIN, CaptionConfig(neighbours=1, captions_per_item=1))
    assert captioner.captions(items).texts == [["a dog"], ["a red bus"]]


def test_with_caption_vectors_the_captions_nearest_the_item_are_lent() -> None:
    vectors = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    train = Captioned(TRAIN.embeddings, TRAIN.captions, TRAIN.rows, vectors.astype(np.float32))
    captioner = NeighbourCaptioner(train, CaptionConfig(neighbours=2, captions_per_item=2))
    item = np.array([[0.6, 0.8, 0, 0]], dtype=np.float32)
    assert captioner.captions(item).texts == [["a cat", "one dog"]]


def test_the_length_of_a_vector_plays_no_part() -> None:
    train = Captioned(
        TRAIN.embeddings * np.array([[1], [50], [1]], np.float32), TRAIN.captions, TRAIN.rows
    )
    captioner = NeighbourCaptioner(train, CaptionConfig(neighbours=1, captions_per_item=1))
    assert captioner.captions(np.array([[5, 4, 0, 0]], dtype=np.float32)).texts == [["a dog"]]


def test_a_small_training_set_lends_from_few_items() -> None:
    config = CaptionConfig(neighbours=60, neighbour_share=0.02)
    assert [config.lenders(items) for items in (1, 40, 500, 2800, 10**6)] == [2, 2, 10, 56, 60]
