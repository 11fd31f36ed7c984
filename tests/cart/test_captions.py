"""The captioner that needs no weights, and what may not enter training."""

from __future__ import annotations

import numpy as np
import pytest

from cart.captions import Captioned, NeighbourCaptioner, OfferingCaptioner
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


def test_every_caption_is_offered_once_to_the_item_that_it_lies_nearest_to() -> None:
    vectors = np.array([[1, 0.1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0.3, 0], [0, 0, 0, 1]])
    train = Captioned(TRAIN.embeddings, TRAIN.captions, TRAIN.rows, vectors.astype(np.float32))
    items = np.array([[3, 0, 0, 0.5], [0, 0.2, 0, 0]], dtype=np.float32)
    config = CaptionConfig(lending="offered", fewest=0)
    given = OfferingCaptioner(train, config).captions(items)
    assert given.texts == [["one dog", "a dog"], ["a cat", "a red bus"]]
    assert given.best(1).texts == [["one dog"], ["a cat"]]


def test_an_item_that_is_offered_too_little_asks_its_neighbours() -> None:
    vectors = np.tile(np.array([[0, 0, 1, 0]], np.float32), (5, 1))
    train = Captioned(TRAIN.embeddings, TRAIN.captions, TRAIN.rows, vectors)
    config = CaptionConfig(lending="offered", fewest=2, neighbours=2)
    given = OfferingCaptioner(train, config).captions(AXES[1:3])
    asked = NeighbourCaptioner(train, config).captions(AXES[1:2]).texts[0]
    assert given.texts[0] == asked[:2]
    assert sorted(given.texts[1]) == ["a cat", "a dog", "a red bus", "one dog"]


def test_captions_without_vectors_cannot_be_offered() -> None:
    with pytest.raises(ValueError, match="without vectors"):
        OfferingCaptioner(TRAIN, CaptionConfig())
