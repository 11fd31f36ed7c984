"""Training: it learns, it resumes exactly, it stops on validation, no test caption enters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cart.cart
import cart.training
from cart.captions import Captioned, NeighbourCaptioner
from cart.cart import Cart
from cart.config import CaptionConfig, CartConfig, IdentifierConfig, ModelConfig, TrainConfig
from cart.model import CartModel
from cart.saving import load, save
from cart.training import Examples, batches, learning_rate_factor, train

COLOURS = ("red", "green", "blue", "white", "black")
SHAPES = ("disc", "square", "star", "heart")
CONFIG = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=6, codebook_sizes=(6,), hidden=(16,), latent_dim=8, epochs=20
    ),
    model=ModelConfig(width=32, heads=2, feed_forward=64, encoder_layers=2, decoder_layers=1),
    fit=TrainConfig(epochs=25, least_steps=0, batch_size=32, learning_rate=3e-3),
    absorb=TrainConfig(epochs=5, least_steps=0, batch_size=32, learning_rate=3e-3),
    captions=CaptionConfig(neighbours=2, captions_per_item=3),
    vocabulary=300,
)


def world(seed: int, copies: int) -> tuple[Captioned, list[str]]:
    """Items of a colour and a shape, embedded by both, with two captions each."""
    random = np.random.default_rng(seed)
    basis = np.random.default_rng(99).normal(size=(len(COLOURS) + len(SHAPES), 12))
    embeddings, captions, rows = [], [], []
    for colour in range(len(COLOURS)):
        for shape in range(len(SHAPES)):
            for _ in range(copies):
                vector = basis[colour] + basis[len(COLOURS) + shape] + random.normal(size=12) * 0.1
                captions += [
                    f"a {COLOURS[colour]} {SHAPES[shape]}",
                    f"this {SHAPES[shape]} is {COLOURS[colour]}",
                ]
                rows += [len(embeddings)] * 2
                embeddings.append(vector / np.linalg.norm(vector))
    return Captioned(np.array(embeddings, dtype=np.float32), captions, rows), captions


def fitted(checkpoints: Path | None = None, seed: int = 0) -> tuple[Cart, Captioned]:
    pairs, _ = world(seed, 4)
    validation, _ = world(seed + 1, 1)
    cart_model = Cart(CONFIG, seed, checkpoints=checkpoints)
    captioner = NeighbourCaptioner(pairs, CaptionConfig(2, 3))
    cart_model.fit(pairs, validation, captioner.captions(validation.embeddings))
    gallery, _ = world(seed + 2, 1)
    cart_model.absorb(gallery.embeddings, captioner.captions(gallery.embeddings))
    return cart_model, gallery


@pytest.fixture(scope="module")
def learned() -> tuple[Cart, Captioned]:
    return fitted()


def recall_at_1(model: Cart, gallery: Captioned) -> float:
    found = model.search(list(gallery.captions), 1).items[:, 0]
    return float((found == np.array(gallery.rows)).mean())


def test_it_finds_items_by_captions_that_it_was_never_given(
    learned: tuple[Cart, Captioned],
) -> None:
    model, gallery = learned
    assert recall_at_1(model, gallery) > 0.8
    losses = model.progress["fit"].losses
    assert losses[-1] < 0.3 * losses[0]


def test_token_accuracy_of_a_learned_model_is_high_and_has_one_figure_a_token(
    learned: tuple[Cart, Captioned],
) -> None:
    model, gallery = learned
    figures = model.diagnose(list(gallery.captions), np.array(gallery.rows))
    told = [name for name in figures if name.startswith("token_accuracy/")]
    assert told == ["token_accuracy/k", "token_accuracy/v1", "token_accuracy/u"]
    assert figures["token_accuracy/k"] > 0.8
    wrong = (np.array(gallery.rows) + 7) % len(gallery.embeddings)
    assert model.diagnose(list(gallery.captions), wrong)["token_accuracy/k"] < 0.5


def test_a_saved_model_answers_alike_and_refuses_a_new_gallery(
    learned: tuple[Cart, Captioned], tmp_path: Path
) -> None:
    model, gallery = learned
    save(model, tmp_path)
    again = Cart(CONFIG, seed=7)
    load(again, tmp_path)
    before, after = model.search(["a red disc", ""], 5), again.search(["a red disc", ""], 5)
    assert (before.items == after.items).all()
    np.testing.assert_allclose(before.scores, after.scores)
    with pytest.raises(ValueError, match="fit the model"):
        again.absorb(gallery.embeddings, None)
    other = Cart(replace(CONFIG, vocabulary=301), seed=7)
    with pytest.raises(ValueError, match="vocabulary"):
        load(other, tmp_path)


def test_absorbing_a_gallery_forgets_the_one_before(learned: tuple[Cart, Captioned]) -> None:
    pairs, _ = world(0, 4)
    model, gallery = fitted()
    captioner = NeighbourCaptioner(pairs, CaptionConfig(2, 3))
    first = model.search(["a red disc"], 3)
    model.absorb(gallery.embeddings[:5], captioner.captions(gallery.embeddings[:5]))
    assert set(model.search(["a red disc"], 9).items[0]) == {-1, *range(5)}
    model.absorb(gallery.embeddings, captioner.captions(gallery.embeddings))
    again = model.search(["a red disc"], 3)
    assert (first.items == again.items).all()
    np.testing.assert_allclose(first.scores, again.scores, atol=1e-5)


def test_items_are_added_and_removed_without_training() -> None:
    model, gallery = fitted()
    count = len(gallery.embeddings)
    assert model.gallery is not None
    before = model.gallery.copy()
    model.add(gallery.embeddings[:3])
    assert (model.gallery[:count] == before).all()
    assert (model.gallery[count:, :-1] == before[:3, :-1]).all()
    model.remove(range(count))
    assert set(model.search(["a red disc"], 5).items[0]) == {0, 1, 2, -1}


def test_only_training_captions_ever_reach_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, _ = world(0, 4)
    validation, _ = world(1, 1)
    validation = replace(validation, captions=[f"secret {c}" for c in validation.captions])
    seen: list[tuple[int, ...]] = []
    real = cart.training.cart_loss

    def watched(
        model: CartModel, ids: torch.Tensor, mask: torch.Tensor, *rest: object
    ) -> torch.Tensor:
        rows = zip(ids, mask, strict=True)
        seen.extend(tuple(row[real_tokens].tolist()) for row, real_tokens in rows)
        return real(model, ids, mask, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cart.training, "cart_loss", watched)
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=2))
    model = Cart(config, 0)
    captioner = NeighbourCaptioner(pairs, CaptionConfig(2, 3))
    model.fit(pairs, validation, captioner.captions(validation.embeddings))
    embeddings = world(2, 1)[0].embeddings
    model.absorb(embeddings, captioner.captions(embeddings))
    assert model.tokenizer is not None
    allowed = set(map(tuple, cart.cart.encode(model.tokenizer, list(pairs.captions), 64)))
    assert set(seen) == allowed
    forbidden = set(map(tuple, cart.cart.encode(model.tokenizer, list(validation.captions), 64)))
    assert not forbidden & set(seen)


def toy() -> tuple[CartModel, Examples]:
    torch.manual_seed(0)
    config = ModelConfig(width=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    random = np.random.default_rng(0)
    tokens = [random.integers(1, 20, random.integers(1, 7)).tolist() for _ in range(50)]
    identifiers = np.stack([random.integers(0, 4, 50), random.integers(0, 3, 50)], axis=1)
    items = np.repeat(np.arange(10), 5)
    return CartModel(config, vocabulary=20, levels=[4, 3]), Examples.sure(
        tokens, identifiers, items
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_training_continues_to_the_same_weights(killed_after: int, tmp_path: Path) -> None:
    config = TrainConfig(epochs=5, least_steps=0, batch_size=16)

    def validate(model: CartModel) -> float:
        return float(model.begin.detach().abs().sum())

    undisturbed, examples = toy()
    whole = train(undisturbed, examples, config, 0, validate)
    calls = 0

    def dies(model: CartModel) -> float:
        nonlocal calls
        calls += 1
        if calls > killed_after:
            raise Killed
        return validate(model)

    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        train(toy()[0], examples, config, 0, dies, path)
    torch.manual_seed(1234)
    resumed = toy()[0]
    progress = train(resumed, examples, config, 0, validate, path)
    assert progress == whole
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_best_epoch_is_kept_and_training_stops_when_nothing_improves() -> None:
    model, examples = toy()
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    weights: list[torch.Tensor] = []

    def validate(model: CartModel) -> float:
        weights.append(model.begin.detach().clone())
        return next(scores)

    config = TrainConfig(epochs=10, least_steps=0, batch_size=16, validations=10, patience=2)
    progress = train(model, examples, config, 0, validate)
    assert [score for _, score in progress.validations] == [0.1, 0.5, 0.4, 0.3]
    assert torch.equal(model.begin, weights[1])


def test_every_example_is_in_one_batch_and_lengths_are_alike() -> None:
    _, examples = toy()
    config = TrainConfig(batch_size=8)
    rows: Sequence[np.ndarray] = list(batches(examples, config, np.random.default_rng(0)))
    assert sorted(np.concatenate(rows)) == list(range(50))
    spread = [np.ptp([len(examples.tokens[r]) for r in batch]) for batch in rows]
    assert np.mean(spread) <= 2


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=60), st.integers(1, 4), st.integers(0, 99))
def test_captions_of_one_item_take_turns(items: list[int], most: int, seed: int) -> None:
    none = np.zeros((len(items), 2), dtype=np.int64)
    examples = Examples.sure([[1]] * len(items), none, np.array(items))
    drawn = examples.drawn(most, np.random.default_rng(seed)).tolist()
    assert len(set(drawn)) == len(drawn)
    for item in set(items):
        held = items.count(item)
        taken = sum(items[row] == item for row in drawn)
        assert taken == (held if item < 0 else min(held, most))


def test_every_caption_has_its_turn() -> None:
    none = np.zeros((40, 2), dtype=np.int64)
    examples = Examples.sure([[1]] * 40, none, np.zeros(40, dtype=np.int64))
    random = np.random.default_rng(0)
    seen = {row for _ in range(30) for row in examples.drawn(10, random).tolist()}
    assert seen == set(range(40))


def test_the_learning_rate_warms_up_and_restarts() -> None:
    config = TrainConfig(warmup=0.1, cycles=2)
    factors = [learning_rate_factor(step, 100, config) for step in range(100)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[10] == pytest.approx(1)
    assert factors[54] < 0.01 < 0.99 < factors[55]
    assert all(a < b for a, b in pairwise(factors[:11]))


def test_a_small_set_is_trained_for_more_epochs_and_validations_are_spread() -> None:
    config = TrainConfig(epochs=3, least_steps=100, validations=4)
    assert config.epochs_of(steps=50) == 3
    assert config.epochs_of(steps=7) == 15
    due = [epoch for epoch in range(1, 16) if config.validation_due(epoch, 15)]
    assert due == [3, 6, 9, 12, 15]
