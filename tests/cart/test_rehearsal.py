"""A gallery that grows: what was added is learned in a short training, what was there is kept."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cart.cart
from cart.captions import Captioned, Generated
from cart.cart import Cart
from cart.config import CartConfig, IdentifierConfig, ModelConfig, TrainConfig
from cart.model import CartModel
from cart.rehearsal import Learned, sample
from cart.training import Examples, Progress

THINGS = ("disc", "square", "star", "heart", "moon", "leaf")
COLOURS = ("red", "green", "blue", "white")
LATE = ("moon", "leaf")
STEPS = TrainConfig(epochs=25, least_steps=0, batch_size=32, learning_rate=3e-3)
CONFIG = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=6, codebook_sizes=(6,), hidden=(16,), latent_dim=8, epochs=20
    ),
    model=ModelConfig(width=32, heads=2, feed_forward=64, encoder_layers=1, decoder_layers=1),
    fit=STEPS,
    absorb=replace(STEPS, epochs=5),
    adapt=replace(STEPS, epochs=40, batch_size=16),
    vocabulary=300,
)


def world(things: tuple[str, ...], copies: int, seed: int = 0) -> Captioned:
    """Items of a thing and a colour, embedded by both, a caption each."""
    basis = np.random.default_rng(99).normal(size=(len(THINGS) + len(COLOURS), 12))
    random = np.random.default_rng(seed)
    made = [(thing, colour) for thing in things for colour in COLOURS for _ in range(copies)]
    embeddings = np.array(
        [
            basis[THINGS.index(thing)]
            + basis[len(THINGS) + COLOURS.index(colour)]
            + random.normal(size=12) * 0.1
            for thing, colour in made
        ],
        dtype=np.float32,
    )
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return Captioned(embeddings, [f"a {c} {t}" for t, c in made], range(len(made)))


def told(gallery: Captioned) -> Generated:
    """What a captioner that recognises everything says, in words of its own."""
    return Generated([[f"{' '.join(text.split()[:0:-1])}"] for text in gallery.captions], "test")


EARLY = tuple(thing for thing in THINGS if thing not in LATE)


Grown = tuple[Cart, Captioned, Captioned]


@cache
def _grown() -> Grown:
    model = Cart(CONFIG, 0)
    validation = Captioned(np.zeros((0, 12), np.float32), (), ())
    model.fit(world(EARLY, 4), validation, None)
    old, new = world(EARLY, 1, seed=5), world(LATE, 1, seed=6)
    model.absorb(old.embeddings, told(old))
    model.add(new.embeddings)
    return model, old, new


def grown() -> Grown:
    """A model that learned the early things, indexed them, and had the late ones added."""
    model, old, new = _grown()
    return copy.deepcopy(model), old, new


def recall(model: Cart, items: Captioned, first: int) -> float:
    found = model.search(list(items.captions), 2).items
    return float((found == first + np.array(items.rows)[:, None]).any(axis=1).mean())


def test_a_short_training_finds_what_was_added_and_keeps_what_was_there() -> None:
    model, old, new = grown()
    there = len(old.captions)
    assert model.gallery is not None and model.tree is not None
    before, tree = model.gallery.copy(), model.tree
    untrained, kept = recall(model, new, there), recall(model, old, 0)
    seconds = model.adapt(range(there, there + len(new.captions)), told(new))
    assert set(seconds) == {"train"}
    assert recall(model, new, there) >= untrained + 0.4
    assert recall(model, old, 0) >= kept - 0.2
    assert (model.gallery == before).all() and model.tree is tree


def test_without_rehearsal_more_is_forgotten() -> None:
    losses = []
    for rehearsal in (0.0, 3.0):
        model, old, new = grown()
        model.config = replace(CONFIG, rehearsal=rehearsal)
        model.adapt(range(len(old.captions), len(old.captions) + len(new.captions)), told(new))
        losses.append(recall(model, old, 0))
    assert losses[0] < losses[1]


def test_a_new_gallery_starts_from_what_was_fitted_whatever_was_learned_since() -> None:
    model, old, new = grown()
    model.absorb(old.embeddings, told(old))
    first = model.search(["a red disc"], 4)
    model.add(new.embeddings)
    model.adapt(range(len(old.captions), len(old.captions) + len(new.captions)), told(new))
    model.absorb(old.embeddings, told(old))
    again = model.search(["a red disc"], 4)
    assert (first.items == again.items).all()
    np.testing.assert_allclose(first.scores, again.scores, atol=1e-5)


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(ValueError, match="index a gallery"):
        Cart(CONFIG, 0).adapt([0], Generated([["a"]], "test"))
    model, _, _ = grown()
    with pytest.raises(ValueError, match="not among"):
        model.adapt([10_000], Generated([["a"]], "test"))
    with pytest.raises(ValueError, match="captions of 2 items for 1"):
        model.adapt([0], Generated([["a"], ["b"]], "test"))
    assert model.adapt([0], Generated([[]], "test")) == {}


@given(
    st.lists(st.integers(0, 9), max_size=30),
    st.sets(st.integers(0, 9), max_size=9),
)
def test_pairs_of_items_that_go_are_dropped_and_the_rest_follow_their_rows(
    rows: list[int], gone: set[int]
) -> None:
    pairs = Examples.sure(
        [[number] for number in range(len(rows))],
        np.array(rows, dtype=np.int64)[:, None],
        np.full(len(rows), -1),
    )
    left = Learned(pairs, np.array(rows, dtype=np.int64)).without(sorted(gone))
    gallery = [row for row in range(10) if row not in gone]
    expected = [([place], row) for place, row in enumerate(rows) if row not in gone]
    assert list(left.pairs.tokens) == [tokens for tokens, _ in expected]
    assert [gallery[row] for row in left.rows] == [row for _, row in expected]
    assert left.pairs.candidates.identifiers[left.pairs.candidates.rows[:, 0], 0].tolist() == [
        row for _, row in expected
    ]


def test_a_sample_has_each_pair_at_most_once() -> None:
    pairs = Examples.sure([[n] for n in range(20)], np.zeros((20, 2), np.int64), np.full(20, -1))
    drawn = [tokens[0] for tokens in sample(pairs, 12, seed=3).tokens]
    assert len(set(drawn)) == len(drawn) == 12
    assert len(sample(pairs, 50, seed=3).tokens) == 20


def seen_by_towers(gallery: Captioned) -> Generated:
    """The same, with vectors by which a teacher labels it."""
    return replace(told(gallery), vectors=gallery.embeddings)


def test_a_teacher_labels_what_is_rehearsed_by_the_gallery_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Cart(replace(CONFIG, known_share=0.0, rehearsal=2.0), 0)
    early = world(EARLY, 4)
    learned_from = replace(early, caption_vectors=early.embeddings)
    model.fit(learned_from, Captioned(np.zeros((0, 12), np.float32), (), ()), None)
    old, new = world(EARLY, 1, seed=5), world(LATE, 1, seed=6)
    model.absorb(old.embeddings, seen_by_towers(old))
    model.add(new.embeddings)
    there, taught = len(old.captions), list[Examples]()
    real = cart.cart.train

    def watched(network: CartModel, pairs: Examples, *rest: Any, **more: Any) -> Progress:
        taught.append(pairs)
        return real(network, pairs, *rest, **more)

    monkeypatch.setattr(cart.cart, "train", watched)
    model.adapt(range(there, there + len(new.captions)), seen_by_towers(new))
    assert model.gallery is not None
    rehearsed = taught[0].candidates.taken(np.arange(len(new.captions), len(taught[0].tokens)))
    named = {tuple(row) for row in rehearsed.identifiers[rehearsed.rows].reshape(-1, 3).tolist()}
    assert named & {tuple(row) for row in model.gallery[there:].tolist()}
    assert recall(model, new, there) >= 0.4
