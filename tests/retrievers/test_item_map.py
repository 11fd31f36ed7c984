"""Where CART's gallery items lie, and the codes that were made of that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cart.cart import Cart
from cart.config import CaptionConfig, CartConfig, IdentifierConfig, ModelConfig, TrainConfig
from retrievers.base import Mapped, Named, RetrieverSpec
from retrievers.captioners.neighbours import Neighbours
from retrievers.generative import Generative
from tests.retrievers.colours import ColourEncoder, captions_of, items

BRIEF = TrainConfig(epochs=1, least_steps=0, batch_size=16)
CONFIG = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=4, codebook_sizes=(4,), hidden=(16,), latent_dim=8, epochs=3
    ),
    model=ModelConfig(width=16, heads=2, feed_forward=16, encoder_layers=1, decoder_layers=1),
    fit=BRIEF,
    absorb=BRIEF,
    vocabulary=300,
)


def indexed(config: CartConfig) -> Generative:
    spec = RetrieverSpec("cart", "generative", ("image",), "trained here", "Apache-2.0")
    retriever = Generative(spec, ColourEncoder(), Cart(config, 0), Neighbours(CaptionConfig()))
    train = captions_of(items("train", 4), "a")
    retriever.fit(train, captions_of(items("val", 1), "hidden"))
    retriever.index(items("test", 2))
    return retriever


def test_the_map_holds_the_embeddings_and_the_codes_of_the_gallery() -> None:
    gallery, retriever = items("test", 2), indexed(CONFIG)
    assert isinstance(retriever, Mapped)
    found = retriever.item_map(gallery)
    assert np.array_equal(found.embeddings, ColourEncoder().encode_items(gallery))
    assert found.prefixes.shape == (len(gallery), 2)
    assert found.prefixes.max() < 4
    with pytest.raises(ValueError, match="in its order"):
        retriever.item_map(gallery[::-1])


def test_codes_do_not_depend_on_how_long_the_model_is_trained() -> None:
    longer = replace(BRIEF, epochs=3)
    gallery = items("test", 2)
    short = indexed(CONFIG).item_map(gallery)
    long = indexed(replace(CONFIG, fit=longer, absorb=longer)).item_map(gallery)
    assert np.array_equal(short.prefixes, long.prefixes)


def test_each_item_is_written_by_its_codes_and_a_counter_of_its_own() -> None:
    gallery, retriever = items("test", 2), indexed(CONFIG)
    assert isinstance(retriever, Named)
    codes = retriever.identifiers(gallery)
    assert np.array_equal(codes[:, :-1], retriever.item_map(gallery).prefixes)
    assert len(set(map(tuple, codes.tolist()))) == len(gallery)
    assert np.array_equal(retriever.identifiers(gallery[::-2]), codes[::-2])
    with pytest.raises(ValueError, match="no item 'train"):
        retriever.identifiers(items("train", 1))
