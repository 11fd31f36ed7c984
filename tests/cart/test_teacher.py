"""Labels that the towers give, and their way along the prefix tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from cart.captions import Captioned, Generated
from cart.config import ModelConfig, TeacherConfig, TrainConfig
from cart.loss import cart_loss
from cart.model import CartModel
from cart.targets import Candidates, Targets
from cart.teacher import Teacher, calibrated, labels

IDENTIFIERS = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 1, 0]], dtype=np.int64)


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def said(vectors: np.ndarray, *, seen: bool = False) -> Generated:
    return Generated([["a"] * len(vectors)], "test", seen, vectors)


def test_weights_are_the_softmax_of_the_cosines_less_popularity() -> None:
    texts, items = unit(5, 8, 0), unit(4, 8, 1)
    teacher = Teacher(TeacherConfig(candidates=4, fairness=0.5), sharpness=7.0)
    told = teacher.labels(said(3 * texts), np.zeros(5, np.int64), 2 * items, IDENTIFIERS)
    powers = np.exp(7.0 * texts @ items.T)
    expected = powers / np.sqrt(powers.mean(axis=0))
    expected /= expected.sum(axis=1, keepdims=True)
    found = np.zeros((5, 4))
    np.put_along_axis(found, told.rows.astype(np.int64), told.weights, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_only_the_best_are_candidates_and_the_owner_is_trusted_where_it_was_seen() -> None:
    texts, items = unit(30, 8, 2), unit(4, 8, 3)
    owners = np.arange(30) % 4
    teacher = Teacher(TeacherConfig(candidates=2, fairness=0.0, trust=0.25), sharpness=5.0)
    told = teacher.labels(said(texts, seen=True), owners, items, IDENTIFIERS)
    best = np.sort(np.argsort(-(texts @ items.T), axis=1)[:, :2], axis=1)
    assert (np.sort(told.rows[:, :2], axis=1) == best).all()
    assert (told.rows[:, 2] == owners).all()
    np.testing.assert_allclose(told.weights[:, 2], 0.25)
    np.testing.assert_allclose(told.weights.sum(axis=1), 1, rtol=1e-5)
    assert teacher.labels(said(texts), owners, items, IDENTIFIERS).rows.shape == (30, 2)


def test_without_a_teacher_or_vectors_the_owner_is_the_answer() -> None:
    owners = np.array([2, 0])
    mute = Generated([["a"], [], ["b"]], "test")
    for teacher in (None, Teacher(TeacherConfig(), 3.0)):
        told = labels(teacher, mute, owners, unit(4, 8, 0), IDENTIFIERS)
        assert told.identifiers[told.rows[:, 0]].tolist() == IDENTIFIERS[owners].tolist()


def test_the_sharpness_is_the_one_that_the_captions_were_drawn_with() -> None:
    random = np.random.default_rng(5)
    items, captions = unit(20, 6, 6), unit(2000, 6, 7)
    powers = np.exp(9.0 * captions @ items.T)
    chances = powers / powers.sum(axis=1, keepdims=True)
    rows = [int(random.choice(20, p=chance / chance.sum())) for chance in chances]
    pairs = Captioned(items, ["a"] * 2000, rows, captions)
    assert calibrated(pairs) == pytest.approx(9.0, rel=0.1)
    told = Teacher.of(TeacherConfig(sharpness=2.0), pairs)
    assert told is not None and told.sharpness == pytest.approx(2 * calibrated(pairs))
    assert Teacher.of(None, pairs) is None


@settings(deadline=None)
@given(st.data())
def test_conditional_distributions_multiply_to_the_weights(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 4))
    rows = data.draw(
        st.lists(
            st.lists(st.integers(0, 2), min_size=length, max_size=length),
            min_size=1,
            max_size=6,
            unique_by=tuple,
        )
    )
    weights = torch.tensor([data.draw(st.floats(0.05, 1)) for _ in rows])
    weights = weights / weights.sum()
    targets = Targets(torch.tensor([rows]), weights[None])
    for row, weight in zip(rows, weights, strict=True):
        path = torch.tensor([row])
        along = [targets.following(path, level, 3)[0, row[level]] for level in range(length)]
        assert float(torch.stack(along).prod()) == pytest.approx(float(weight), rel=1e-4)


def test_sure_and_doubtful_examples_stand_side_by_side() -> None:
    sure = Candidates.sure(IDENTIFIERS[:2])
    doubtful = Candidates(
        IDENTIFIERS, np.array([[3, 2]], np.int32), np.array([[0.4, 0.6]], np.float32)
    )
    both = sure.joined(doubtful)
    targets = both.of(np.array([2, 0]), torch.device("cpu"))
    assert targets.identifiers[0].tolist() == IDENTIFIERS[[3, 2]].tolist()
    assert targets.identifiers[1, 0].tolist() == IDENTIFIERS[0].tolist()
    np.testing.assert_allclose(targets.weights.numpy(), [[0.4, 0.6], [1, 0]])
    assert {tuple(row) for row in targets.drawn().tolist()} <= {(1, 1, 0), (0, 1, 0), (0, 0, 0)}
    assert both.taken(np.array([1])).of(np.array([0]), torch.device("cpu")).drawn().tolist() == [
        [0, 0, 1]
    ]


@pytest.mark.parametrize("consistency", ["off", "decoder"])
def test_one_candidate_with_all_the_weight_is_taught_as_a_sure_one(consistency: str) -> None:
    torch.manual_seed(0)
    shape = ModelConfig(16, 2, 16, encoder_layers=1, decoder_layers=1, dropout=0.0)
    model = CartModel(shape, vocabulary=9, levels=[2, 2, 2])
    ids, mask = torch.tensor([[1, 2], [3, 4]]), torch.ones((2, 2), dtype=torch.bool)
    sure = Targets(torch.from_numpy(IDENTIFIERS[:2])[:, None], torch.ones(2, 1))
    spread = Targets(
        torch.from_numpy(IDENTIFIERS[[[0, 3], [1, 3]]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    )
    config = TrainConfig(consistency=consistency)  # type: ignore[arg-type]
    first, second = (cart_loss(model, ids, mask, each, config) for each in (sure, spread))
    torch.testing.assert_close(first, second)


def test_the_loss_expects_what_the_whole_tree_would_say() -> None:
    """Over the draws, the loss is the cross-entropy of the weights and whole identifiers."""
    torch.manual_seed(1)
    shape = ModelConfig(16, 2, 16, encoder_layers=1, decoder_layers=1, dropout=0.0)
    model = CartModel(shape, vocabulary=9, levels=[2, 2, 2]).eval()
    ids, mask = torch.tensor([[1, 2, 5]]), torch.ones((1, 3), dtype=torch.bool)
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    targets = Targets(torch.from_numpy(IDENTIFIERS)[None], weights)
    with torch.no_grad():
        whole = []
        for row in IDENTIFIERS:
            path = torch.from_numpy(row)[None]
            levels = model.decode(model.encode(ids, mask), path)
            terms = [F.log_softmax(one, -1)[0, path[0, n]] for n, one in enumerate(levels)]
            whole.append(torch.stack(terms).sum())
        expected = -(weights[0] * torch.stack(whole)).sum()
        config = TrainConfig(consistency="off")
        many = Targets(targets.identifiers.expand(4000, -1, -1), weights.expand(4000, -1))
        found = cart_loss(model, ids.expand(4000, -1), mask.expand(4000, -1), many, config)
    assert float(found) == pytest.approx(float(expected), abs=0.02)
