"""A CART on disk, with the codebooks of every scheme."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cart.captions import Captioned
from cart.cart import Cart
from cart.config import CartConfig, IdentifierConfig, ModelConfig, Scheme, TrainConfig
from cart.saving import load, save
from tests.cart.item_embeddings import blobs

ONE_EPOCH = TrainConfig(epochs=1, least_steps=0)
CONFIG = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=4, codebook_sizes=(4, 3), hidden=(8,), latent_dim=4, epochs=2
    ),
    model=ModelConfig(width=16, heads=2, feed_forward=16, encoder_layers=1, decoder_layers=1),
    fit=ONE_EPOCH,
    absorb=ONE_EPOCH,
    vocabulary=300,
)
TRAIN = Captioned(blobs(0, 40), [f"a thing of kind {row % 7}" for row in range(40)], range(40))
NONE = Captioned(blobs(0, 0), [], [])


def indexed(config: CartConfig) -> Cart:
    cart = Cart(config, seed=0)
    cart.fit(TRAIN, NONE, None)
    cart.absorb(blobs(1, 20), None)
    return cart


@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_what_was_saved_answers_and_grows_as_before(scheme: Scheme, tmp_path: Path) -> None:
    config = replace(CONFIG, identifiers=replace(CONFIG.identifiers, scheme=scheme))
    cart, again = indexed(config), Cart(config, seed=0)
    save(cart, tmp_path)
    load(again, tmp_path)
    for one in (cart, again):
        one.add(blobs(2, 5))
    assert cart.gallery is not None and again.gallery is not None
    np.testing.assert_array_equal(again.gallery, cart.gallery)
    first, second = (one.search(["a thing of kind 3"], 10) for one in (cart, again))
    np.testing.assert_array_equal(first.items, second.items)


def test_codebooks_of_another_scheme_are_refused(tmp_path: Path) -> None:
    save(indexed(CONFIG), tmp_path)
    other = replace(CONFIG, identifiers=replace(CONFIG.identifiers, scheme="rq-vae"))
    with pytest.raises(ValueError, match=r"identifiers\.scheme"):
        load(Cart(other, seed=0), tmp_path)


def test_figures_tell_what_codes_do_not_keep_of_the_gallery() -> None:
    cart = indexed(CONFIG)
    figures = cart.diagnose(["a thing of kind 3"], np.array([3]))
    assert cart.gallery is not None and cart.quantizers is not None
    rebuilt = cart.quantizers.rebuilt(cart.gallery[:, :-1])  # type: ignore[attr-defined]
    gallery = blobs(1, 20)
    error = np.square(gallery - rebuilt).sum() / np.square(gallery - gallery.mean(axis=0)).sum()
    assert figures["unexplained_variance_share"] == pytest.approx(error, rel=1e-4)
    distinct = len(np.unique(cart.gallery[:, :-1], axis=0)) / 20
    assert figures["distinct_prefixes"] == pytest.approx(distinct)
    assert figures["collision_rate"] == pytest.approx(1 - distinct)
    assert figures["used_share/v2"] == len(np.unique(cart.gallery[:, 2])) / 3


def test_a_gallery_is_spread_over_the_last_codebook_where_asked_for_and_what_is_added_is_not() -> (
    None
):
    balanced = replace(CONFIG.identifiers, assignment="sinkhorn", codebook_sizes=(4, 16))
    near = replace(balanced, assignment="nearest")
    spread, nearest = (
        indexed(replace(CONFIG, identifiers=identifiers)) for identifiers in (balanced, near)
    )
    assert spread.gallery is not None and nearest.gallery is not None
    assert spread.gallery[:, -1].sum() < nearest.gallery[:, -1].sum()
    for one in (spread, nearest):
        one.add(blobs(2, 5))
    np.testing.assert_array_equal(spread.gallery[20:, :-1], nearest.gallery[20:, :-1])
