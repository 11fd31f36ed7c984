"""What the parts of a generative retriever reach alone, against rankings made one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import first_relevant_ranks, recall_at_k
from cart.captions import Generated
from retrievers.base import Adaptable
from retrievers.controls import ceilings as module
from retrievers.controls.ceilings import Taught, captions_max, captions_mean, ceilings, recall
from tests.retrievers.colours import ColourEncoder, captions_of, items
from tests.retrievers.test_generative import build, fit

GALLERY = items("test", 2)
NAMES = ("chance", "teacher", "captions max", "captions mean")


def harness_recall(scores: np.ndarray, right: np.ndarray, depth: int) -> float:
    """By the harness's own metric, over the whole ranking."""
    order = np.argsort(-scores, axis=1, kind="stable")
    sorted_scores = np.take_along_axis(scores, order, axis=1)
    ranks = first_relevant_ranks(order, sorted_scores, right[:, None])
    return float(recall_at_k(ranks, depth).mean())


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 15))
def test_recall_is_the_harness_s_with_ties_shared(seed: int, queries: int, gallery: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (queries, gallery)).astype(np.float32)
    right = random.integers(0, gallery, queries)
    found = recall(iter(np.array_split(scores, 2)), right)
    for depth in (1, 10):
        assert found[depth] == pytest.approx(harness_recall(scores, right, depth))


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 14))
def test_an_item_is_as_near_as_its_captions(seed: int, most: int, gallery: int) -> None:
    random = np.random.default_rng(seed)
    texts = random.standard_normal((9, 4)).astype(np.float32)
    queries = random.standard_normal((6, 4)).astype(np.float32)
    said = [random.integers(0, 9, random.integers(0, most + 1)).tolist() for _ in range(gallery)]
    said[0] = [3]
    right = random.integers(0, gallery, len(queries))
    for found, of_item in ((captions_max, np.max), (captions_mean, np.mean)):
        scores = np.array(
            [
                [
                    of_item([texts[row] @ query for row in rows]) if rows else -np.inf
                    for rows in said
                ]
                for query in queries
            ]
        )
        told = found(queries, texts, said, right)
        assert told[1] == pytest.approx(harness_recall(scores, right, 1), abs=1e-6)
        assert told[10] == pytest.approx(harness_recall(scores, right, 10), abs=1e-6)


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = captions_of(GALLERY, "a")
    encoder = ColourEncoder()
    taught = Taught.of(
        encoder.encode_items(GALLERY), Generated([[text] for text in pairs.captions], "test")
    )
    right = np.arange(len(GALLERY))
    whole = ceilings(encoder, taught, pairs.captions, right)
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 50)
    assert ceilings(encoder, taught, pairs.captions, right) == pytest.approx(whole)
    assert set(whole) == {f"control/{name} R@{depth}" for name in NAMES for depth in (1, 10)}
    # Two copies of each picture, which nothing tells apart.
    assert whole["control/teacher R@1"] == whole["control/captions max R@1"] == 0.5
    assert whole["control/chance R@10"] == pytest.approx(10 / len(GALLERY))


def test_nothing_is_told_of_captions_where_there_are_none() -> None:
    encoder = ColourEncoder()
    silent = Taught.of(encoder.encode_items(GALLERY), None)
    found = ceilings(encoder, silent, ["a red disc", "no item's"], np.array([0, -1]))
    assert set(found) == {f"control/{name} R@{d}" for name in NAMES[:2] for d in (1, 10)}
    assert found["control/teacher R@1"] == 0.5
    assert ceilings(encoder, silent, ["no item's"], np.array([-1])) == {}


def test_a_gallery_that_changes_keeps_its_texts_at_their_items() -> None:
    vectors = np.eye(4, dtype=np.float32)
    taught = Taught.of(vectors[:2], Generated([["a"], ["b", "c"]], "test"))
    grown = taught.with_more(vectors[2:])
    assert grown.texts == (("a",), ("b", "c"), (), ())
    learned = grown.retold([3], Generated([["d"]], "test"))
    left = learned.without([0, 2])
    assert left.texts == (("b", "c"), ("d",))
    np.testing.assert_array_equal(left.vectors, vectors[[1, 3]])


def test_a_generative_retriever_tells_them_and_learns_what_was_added(tmp_path: Path) -> None:
    retriever = build()
    fit(retriever)
    gallery = items("test", 1)
    retriever.index(gallery[:8])
    retriever.add(gallery[8:])
    assert isinstance(retriever, Adaptable)
    queries, right = captions_of(gallery, "a").captions, np.arange(len(gallery))
    before = retriever.diagnose(queries, right)
    assert before["control/teacher R@1"] == 1.0
    seconds = retriever.adapt([item.id for item in gallery[8:]])
    assert set(seconds) == {"captions", "train"}
    after = retriever.diagnose(queries, right)
    assert after["control/captions max R@1"] > before["control/captions max R@1"]
    with pytest.raises(ValueError, match="no item 'nobody'"):
        retriever.adapt(["nobody"])
    retriever.remove([item.id for item in gallery[:4]])
    assert retriever.diagnose(queries[4:], right[:8])["control/teacher R@1"] == 1.0
    retriever.save(tmp_path)
    loaded = build(seed=1)
    loaded.load(tmp_path)
    assert not [name for name in loaded.diagnose(queries[4:], right[:8]) if "control" in name]
    with pytest.raises(ValueError, match="fit the model"):
        loaded.adapt([gallery[-1].id])
