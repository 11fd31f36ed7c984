"""The engine on a model that has learned something, in every kind of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from cart.captions import Captioned
from cart.cart import Cart
from cart.config import ModelConfig, SearchConfig
from cart.engine import Engine, Numbers
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import search
from cart.tokenizer import encode
from tests.cart.test_training import fitted, world


@pytest.fixture(scope="module")
def learned() -> tuple[Cart, Captioned]:
    return fitted()


def questions(cart: Cart, gallery: Captioned) -> list[list[int]]:
    assert cart.tokenizer is not None
    return encode(cart.tokenizer, list(gallery.captions), 64)


def test_it_finds_what_the_plain_beam_finds(learned: tuple[Cart, Captioned]) -> None:
    cart, gallery = learned
    assert cart.model is not None and cart.tree is not None
    plain = search(cart.model, cart.tree, questions(cart, gallery), 10, cart.config.search, "cpu")
    fast = cart.search(list(gallery.captions), 10)
    assert (fast.items == plain.items).mean() > 0.99
    np.testing.assert_allclose(fast.scores, plain.scores, atol=1e-3)
    assert set(fast.seconds) == {"encode", "decode"}
    assert fast.tokens_decoded < plain.tokens_decoded


@pytest.mark.parametrize("numbers", ["bf16", "int8"])
def test_fewer_bits_find_nine_of_ten_and_the_first(
    learned: tuple[Cart, Captioned], numbers: Numbers
) -> None:
    cart, gallery = learned
    assert cart.model is not None and cart.tree is not None
    asked = questions(cart, gallery)
    exact = Engine(cart.model, cart.tree, SearchConfig(10)).search(asked, 10)
    fewer = Engine(cart.model, cart.tree, SearchConfig(10), "cpu", numbers)
    found = fewer.search(asked, 10)
    shared = [len({*a} & {*b}) / 10 for a, b in zip(exact.items, found.items, strict=True)]
    assert np.mean(shared) >= 0.9
    assert (exact.items[:, 0] == found.items[:, 0]).mean() >= 0.9


def test_whole_numbers_take_a_third_of_the_memory_of_wide_layers() -> None:
    model = CartModel(ModelConfig(width=256, feed_forward=1024), 300, [4, 4, 2])
    tree = PrefixTree.build(np.array([[0, 0, 0], [1, 2, 0]]))
    full, small = (
        Engine(model, tree, SearchConfig(), "cpu", numbers).bytes for numbers in ("fp32", "int8")
    )
    assert small < full / 3 + 4 * 256 * (300 + 64)


def test_a_gallery_that_changes_is_searched_as_it_is_now(
    learned: tuple[Cart, Captioned],
) -> None:
    cart, gallery = learned
    before = cart.search(list(gallery.captions), 1)
    added, _ = world(11, 1)
    cart.add(added.embeddings)
    wider = cart.search(list(gallery.captions), 40)
    assert set(wider.items[0]) == set(range(40))
    cart.remove(range(20, 40))
    after = cart.search(list(gallery.captions), 1)
    np.testing.assert_array_equal(after.items, before.items)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-5)
