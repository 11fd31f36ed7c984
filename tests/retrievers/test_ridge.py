"""The ridge map against scikit-learn's, and on data whose map is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from retrievers.encoders import ridge
from retrievers.encoders.ridge import PENALTIES, Described, fit_map, unit


def linear(items: int, seed: int, noise: float = 0.0, each: int = 3) -> Described:
    """Texts that are one fixed linear function of their items, and noise."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((12, 6))
    features = rng.standard_normal((items, 12))
    rows = np.repeat(np.arange(items), each)
    texts = features[rows] @ mixing + noise * rng.standard_normal((len(rows), 6))
    return Described(features.astype(np.float32), texts.astype(np.float32), rows)


def centred(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return unit(unit(features) - mean)


def test_the_weights_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    known = linear(40, 0, noise=1.0)
    monkeypatch.setattr(ridge, "PENALTIES", (2.5,))
    fitted = fit_map(known, linear(10, 1))
    both = Described.join([known, linear(10, 1)])
    items = centred(both.items, unit(both.items).mean(axis=0))[both.rows]
    texts = centred(both.texts, unit(both.texts).mean(axis=0))
    scale = np.trace(items.T @ items) / items.shape[1]
    peer = Ridge(alpha=2.5 * scale, fit_intercept=False).fit(items, texts)
    np.testing.assert_allclose(fitted.weights, peer.coef_.T, atol=1e-9)


def test_a_linear_relation_is_found() -> None:
    fitted = fit_map(linear(400, 0), linear(60, 1))
    held = linear(100, 2, each=1)
    scores = fitted.texts(held.texts) @ fitted.items(held.items).T
    assert (scores.argmax(axis=1) == np.arange(100)).mean() > 0.9


def test_the_penalty_is_that_which_ranks_the_validation_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, validation = linear(20, 0, noise=12.0), linear(60, 1, noise=12.0)

    def reciprocal_rank(penalty: float) -> float:
        monkeypatch.setattr(ridge, "PENALTIES", (penalty,))
        items = centred(train.items, unit(train.items).mean(axis=0))
        texts = centred(train.texts, unit(train.texts).mean(axis=0))
        scale = np.trace(items[train.rows].T @ items[train.rows]) / items.shape[1]
        peer = Ridge(alpha=penalty * scale, fit_intercept=False).fit(items[train.rows], texts)
        found = unit(centred(validation.items, unit(train.items).mean(axis=0)) @ peer.coef_.T)
        asked = centred(validation.texts, unit(train.texts).mean(axis=0))
        total = 0.0
        for query, row in zip(asked, validation.rows, strict=True):
            scores = found @ query
            total += 1 / int((scores >= scores[row]).sum())
        return total / len(asked)

    scores = {penalty: reciprocal_rank(penalty) for penalty in PENALTIES}
    monkeypatch.setattr(ridge, "PENALTIES", PENALTIES)
    assert max(scores.values()) - min(scores.values()) > 0.01
    chosen = fit_map(train, validation).penalty
    assert scores[chosen] == pytest.approx(max(scores.values()), abs=1e-3)


def test_without_validation_items_are_held_out_of_training() -> None:
    fitted = fit_map(linear(200, 0, noise=0.5), None)
    assert fitted.penalty in PENALTIES
    held = linear(50, 2, each=1)
    scores = fitted.texts(held.texts) @ fitted.items(held.items).T
    assert (scores.argmax(axis=1) == np.arange(50)).mean() > 0.8


def test_vectors_are_of_length_one_and_spread_about_the_middle() -> None:
    known = linear(300, 0)
    known = Described(known.items + 5, known.texts + 5, known.rows)
    fitted = fit_map(known, None)
    for vectors in (fitted.items(known.items), fitted.texts(known.texts)):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert np.linalg.norm(vectors.mean(axis=0)) < 0.3


def test_splitting_and_joining_keep_each_text_with_its_item() -> None:
    known = linear(10, 0, each=2)
    rest, held = known.split(np.array([0, 3, 9]))
    assert (len(rest.items), len(held.items)) == (7, 3)
    again = Described.join([rest, held])
    before = {(*known.items[row], *text) for row, text in zip(known.rows, known.texts, strict=True)}
    after = {(*again.items[row], *text) for row, text in zip(again.rows, again.texts, strict=True)}
    assert before == after


def test_identical_items_give_finite_vectors() -> None:
    same = Described(
        np.ones((4, 3), np.float32), np.ones((4, 2), np.float32), np.arange(4, dtype=np.int64)
    )
    fitted = fit_map(same, None)
    assert np.isfinite(fitted.items(same.items)).all()
    assert np.isfinite(fitted.texts(same.texts)).all()


def test_one_described_item_is_not_enough() -> None:
    with pytest.raises(ValueError, match="at least two captioned items, not 1"):
        fit_map(linear(1, 0), None)
