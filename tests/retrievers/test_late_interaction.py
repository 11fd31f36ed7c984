"""Several vectors a thing: both interactions against loops, and the retriever over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.base import Item, Pairs
from retrievers import conformance, token_index
from retrievers.base import FloatArray, Retriever, Settings
from retrievers.encoders.token_towers import late_interaction, token_pair, token_rows
from retrievers.late_interaction import LateInteraction
from retrievers.token_index import (
    Interaction,
    TokenIndex,
    Tokens,
    best_vector,
    weighted_both_ways,
)
from tests.retrievers.toys import SPEC, HashEncoder, ToyAdapter, items


def slow_best(text: FloatArray, item: FloatArray, _: FloatArray, weights: FloatArray) -> float:
    return max(float(text[0] @ one) for one, weight in zip(item, weights, strict=True) if weight)


def slow_both_ways(
    text: FloatArray, item: FloatArray, of_text: FloatArray, of_item: FloatArray
) -> float:
    there = sum(w * max(float(t @ v) for v in item) for t, w in zip(text, of_text, strict=True))
    back = sum(w * max(float(t @ v) for t in text) for v, w in zip(item, of_item, strict=True))
    return float(there + back) / 2


Score = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], float]

BOTH = pytest.mark.parametrize(
    ("interaction", "slow"), [(best_vector, slow_best), (weighted_both_ways, slow_both_ways)]
)


def whole_tokens(rng: np.random.Generator, count: int, places: int, dim: int) -> Tokens:
    """Whole numbers and weights in halves: sums are exact, ties abound, some places are padding."""
    weights = rng.integers(0, 3, (count, places)).astype(np.float32) / 2
    weights[:, 0] = 1
    vectors = rng.integers(-2, 3, (count, places, dim)).astype(np.float32)
    return Tokens(vectors * (weights > 0)[:, :, None], weights)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tokens, Tokens, int]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dim = draw(st.integers(1, 4))
    texts = whole_tokens(rng, draw(st.integers(0, 35)), draw(st.integers(1, 4)), dim)
    stored = whole_tokens(rng, draw(st.integers(0, 40)), draw(st.integers(1, 5)), dim)
    return texts, stored, draw(st.integers(1, 45))


@BOTH
@given(case=cases(), small_blocks=st.booleans())
@settings(max_examples=40, deadline=None)
def test_search_gives_what_loops_give_ties_and_all(
    interaction: Interaction, slow: Score, case: tuple[Tokens, Tokens, int], small_blocks: bool
) -> None:
    texts, stored, k = case
    index = TokenIndex(interaction)
    index.build(stored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_index, "_BLOCK", 1 if small_blocks else token_index._BLOCK)
        ranking = index.search(texts, k)
    for query in range(len(texts)):
        found = [
            (
                -slow(
                    texts.vectors[query],
                    stored.vectors[row],
                    texts.weights[query],
                    stored.weights[row],
                ),
                row,
            )
            for row in range(len(stored))
        ]
        expected = sorted(found)[:k]
        kept = ranking.ids[query] >= 0
        assert ranking.ids[query][kept].tolist() == [row for _, row in expected]
        assert ranking.scores[query][kept].tolist() == [-score for score, _ in expected]
    assert ranking.ids.shape == (len(texts), k)
    assert ranking.cost.vectors_compared == texts.weights.size * stored.weights.size


@BOTH
def test_equal_items_score_the_same_bits_wherever_they_stand(
    interaction: Interaction, slow: Score
) -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal((1, 7, 48)).astype(np.float32)
    vectors = rng.standard_normal((100, 7, 48)).astype(np.float32)
    twins = [0, 15, 16, 37, 98, 99]
    vectors[twins] = one
    weights = np.full((100, 7), 1 / 7, np.float32)
    texts = Tokens(
        rng.standard_normal((21, 5, 48)).astype(np.float32), np.full((21, 5), 0.2, np.float32)
    )
    index = TokenIndex(interaction)
    index.build(Tokens(vectors, weights))
    together = index.search(texts, 100)
    for query in range(21):
        places = np.isin(together.ids[query], twins)
        assert len(set(together.scores[query][places].tolist())) == 1
        assert together.ids[query][places].tolist() == twins
        alone = index.search(texts.rows([query]), 100)
        np.testing.assert_array_equal(alone.ids[0], together.ids[query])


@pytest.mark.parametrize(
    ("vectors", "weights", "reason"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "are not"),
        (np.ones((2, 3, 4)), np.ones((2, 4)), "are not"),
        (np.full((2, 3, 4), np.nan), np.ones((2, 3)), "finite"),
        (np.ones((1, 2, 4)), np.array([[1.0, 0.0]]), "must be zero"),
        (np.zeros((2, 2, 4)), np.array([[1.0, 0.0], [0.0, 0.0]]), "row 1 is nothing but"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(
    vectors: FloatArray, weights: FloatArray, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Tokens(vectors, weights)


class HashTokens:
    """Three vectors an item, two a text, of which the second is sometimes padding."""

    dim = 8

    def __init__(self, seed: int = 0) -> None:
        self.parts = [HashEncoder(100 * seed + part) for part in range(3)]
        self.items_encoded = 0

    @property
    def fingerprint(self) -> str:
        return "+".join(part.fingerprint for part in self.parts)

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def encode_items(self, items: Sequence[Item]) -> Tokens:
        self.items_encoded += len(items)
        vectors = np.stack([part.encode_items(items) for part in self.parts], axis=1)
        return Tokens(vectors, np.full(vectors.shape[:2], 1 / 3, np.float32))

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        vectors = np.stack([part.encode_texts(texts) for part in self.parts[:2]], axis=1)
        short = np.array([len(text) < 6 for text in texts], bool)
        weights = np.where(short[:, None], [1.0, 0.0], [0.5, 0.5]).astype(np.float32)
        return Tokens(vectors * (weights > 0)[:, :, None], weights.reshape(-1, 2))

    def save(self, folder: Path) -> None:
        self.parts[0].save(folder)

    def load(self, folder: Path) -> None:
        self.parts[0].load(folder)


class LateAdapter(ToyAdapter):
    def __init__(self, interaction: Interaction) -> None:
        self.interaction = interaction

    def build(self, settings: Settings) -> Retriever:
        return self.tiny(settings.seed)

    def tiny(self, seed: int) -> Retriever:
        return LateInteraction(SPEC, HashTokens(seed), self.interaction)


@BOTH
def test_late_interaction_conforms(interaction: Interaction, slow: Score) -> None:
    conformance.run(LateAdapter(interaction))


def test_both_directions_give_one_score() -> None:
    retriever = LateInteraction(SPEC, HashTokens(), weighted_both_ways)
    gallery, texts = items(*range(7)), ["short", "a longer one", "another long one", ""]
    retriever.index(gallery)
    retriever.index_texts(texts)
    there, back = retriever.search(texts, 7), retriever.search_texts(gallery, 4)
    forward, reverse = np.zeros((4, 7)), np.zeros((4, 7))
    np.put_along_axis(forward, there.ids, there.scores, axis=1)
    np.put_along_axis(reverse.T, back.ids, back.scores, axis=1)
    np.testing.assert_allclose(forward, reverse, atol=1e-6)


def test_items_of_the_gallery_are_encoded_once() -> None:
    encoder = HashTokens()
    retriever = LateInteraction(SPEC, encoder, best_vector)
    retriever.index(items(1, 2, 3))
    retriever.index_texts(["one", "two"])
    retriever.search_texts(items(3, 4), 2)
    assert encoder.items_encoded == 4
    fresh = LateInteraction(SPEC, encoder, best_vector)
    fresh.index_texts(["one", "two"])
    assert fresh.search_texts(items(3, 4), 2).ids.shape == (2, 2)


def test_a_gallery_that_does_not_fit_its_encoder_is_refused(tmp_path: Path) -> None:
    retriever = LateInteraction(SPEC, HashTokens(), best_vector)
    retriever.index(items(1, 2))
    retriever.save(tmp_path)
    (tmp_path / "gallery.json").write_text('["item-1"]')
    with pytest.raises(ValueError, match="holds 1 ids"):
        LateInteraction(SPEC, HashTokens(), best_vector).load(tmp_path)


class RowTower:
    """Rows as a network would give them: two vectors a thing with their weights."""

    fingerprint = "rows"

    def __init__(self, encode: object) -> None:
        self.one = encode
        self.asked = 0

    def encode(self, things: Sequence[object], /) -> FloatArray:
        self.asked += len(things)
        vectors = torch.from_numpy(np.stack([self.one(things)] * 2, axis=1))  # type: ignore[operator]
        weights = torch.tensor([[1.0, 0.0]]).expand(len(things), 2)
        return token_rows(vectors, weights).numpy()


def test_rows_of_towers_hold_vectors_weights_and_padding() -> None:
    source = HashEncoder()
    towers = token_pair(RowTower(source.encode_items), RowTower(source.encode_texts), 8)
    found = towers.encode_texts(["one", "two"])
    np.testing.assert_array_equal(found.vectors[:, 0], source.encode_texts(["one", "two"]))
    np.testing.assert_array_equal(found.weights, [[1, 0], [1, 0]])
    assert not found.vectors[:, 1].any()
    assert len(towers.encode_texts([])) == len(towers.encode_items([])) == 0


def test_vectors_of_items_are_kept_on_disk(tmp_path: Path) -> None:
    source = HashEncoder()
    tower = RowTower(source.encode_items)
    settings = Settings(seed=0, device="cpu", cache=tmp_path)

    def build() -> LateInteraction:
        texts = RowTower(source.encode_texts)
        return late_interaction(SPEC, tower, texts, 8, best_vector, settings)

    first, second = build(), build()
    first.index(items(1, 2, 3))
    second.index(items(1, 2, 3))
    assert tower.asked == 3
    np.testing.assert_array_equal(first.search(["x"], 3).scores, second.search(["x"], 3).scores)


def test_other_towers_than_those_saved_are_refused(tmp_path: Path) -> None:
    source = HashEncoder()
    one = token_pair(RowTower(source.encode_items), RowTower(source.encode_texts), 8)
    one.save(tmp_path)
    one.load(tmp_path)
    other = RowTower(source.encode_items)
    other.fingerprint = "others"
    with pytest.raises(ValueError, match="others"):
        token_pair(other, RowTower(source.encode_texts), 8).load(tmp_path)
