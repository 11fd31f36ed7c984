"""Searches of fixed shapes: buckets and padding on the processor, recordings on an accelerator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cart.beam import Found
from cart.config import SearchConfig
from cart.engine import Engine
from cart.engine.beams import Search, at_once, beam_search
from cart.engine.decoder import Decoder
from cart.engine.encoder import Encoder
from cart.engine.graphs import Bucket, Launches, Recorder, Recordings
from cart.engine.memories import Memories
from cart.prefix_tree import PrefixTree
from cart.search import search
from tests.cart.test_beam import queries, random_identifiers, random_model

T = TypeVar("T")
LEVELS = [6, 5, 4, 3]


class Refuses:
    """An accelerator that records nothing."""

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing")

    def seconds(self, phases: Sequence[Callable[[], None]]) -> list[float]:
        raise AssertionError("nothing was recorded")


def recordings(recorder: Recorder) -> tuple[Recordings, PrefixTree]:
    model, tree = random_model(4, LEVELS), PrefixTree.build(random_identifiers(4, 90, LEVELS))
    with torch.inference_mode():
        encoder = Encoder.of(model, "fp32", torch.float32)
        decoder = Decoder.of(model, "fp32", torch.float32)

    def decode(memories: Memories, k: int, beam: int) -> Found:
        return beam_search(Search(decoder, tree, memories, "counter"), k, beam, at_once)

    return Recordings(encoder, decode, model.config.max_tokens, "cpu", recorder), tree


@given(st.integers(1, 128), st.integers(1, 60))
def test_a_bucket_is_the_smallest_that_holds_the_queries(count: int, length: int) -> None:
    bucket = Bucket.of(count, length, longest=60)
    assert bucket.queries in (1, 8, 32, 128) and bucket.queries >= count
    assert all(smaller < count for smaller in (1, 8, 32) if smaller < bucket.queries)
    assert length <= bucket.length <= 60 and bucket.length - length < 8


def test_a_bucket_is_filled_with_queries_that_can_be_attended_to() -> None:
    ids, mask = Bucket(8, 8).fill([[3, 4], [5]])
    assert ids[0].tolist() == [3, 4, 0, 0, 0, 0, 0, 0] and ids[1:].sum() == 5
    assert mask.sum(dim=1).tolist() == [2, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_padded_bucket_answers_as_the_plain_beam_however_often_it_is_played(count: int) -> None:
    played, tree = recordings(Launches("cpu"))
    model = random_model(4, LEVELS)
    for seed in range(3):
        asked = sorted(queries(seed, count), key=len)
        with torch.inference_mode():
            found, seconds = played.answer(asked, 4, 6)
        plain = search(model, tree, asked, 4, SearchConfig(6, "counter"), "cpu")
        np.testing.assert_array_equal(found.items, plain.items)
        np.testing.assert_allclose(found.scores, plain.scores, atol=1e-3)
        assert len(seconds) == 2 and min(seconds) > 0


@pytest.mark.parametrize("count", [3, 40, 128])
def test_a_recorded_search_is_widened_as_the_plain_beam_is(count: int) -> None:
    played, tree = recordings(Launches("cpu"))
    model = random_model(4, LEVELS)
    reached = set()
    for seed in range(4):
        asked = sorted(queries(seed, count), key=len)
        with torch.inference_mode():
            found, _ = played.answer(asked, 4, 4, 50)
        plain = search(model, tree, asked, 4, SearchConfig(4, "counter", 50), "cpu")
        reached |= {*plain.beams.tolist()}
        np.testing.assert_array_equal(found.items, plain.items)
        np.testing.assert_array_equal(found.certified, plain.certified)
        np.testing.assert_array_equal(found.beams, plain.beams)
        np.testing.assert_allclose(found.scores, plain.scores, atol=1e-3)
    assert {4, 8} <= reached


def test_an_answer_is_not_written_over_by_the_next() -> None:
    played, _ = recordings(Launches("cpu"))
    with torch.inference_mode():
        first, _ = played.answer(queries(0, 3), 4, 6)
        kept = first.scores.clone()
        played.answer(queries(1, 3), 4, 6)
    assert torch.equal(first.scores, kept)


def test_what_cannot_be_recorded_is_launched_with_a_warning() -> None:
    refused, _ = recordings(Refuses())
    played, _ = recordings(Launches("cpu"))
    asked = queries(0, 3)
    with torch.inference_mode():
        with pytest.warns(UserWarning, match="cannot be recorded"):
            found, _ = refused.answer(asked, 4, 6)
        assert torch.equal(found.items, played.answer(asked, 4, 6)[0].items)


@pytest.mark.gpu
@pytest.mark.parametrize("numbers", ["fp32", "bf16"])
def test_a_recorded_search_answers_as_the_plain_beam(numbers: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = random_model(4, LEVELS).float()
    rows, rule = random_identifiers(4, 90, LEVELS), SearchConfig(6, "counter")
    asked = queries(7, 40)
    plain = search(model, PrefixTree.build(rows), asked, 4, rule, "cpu")
    tree = PrefixTree.build(rows, "cuda")
    engine = Engine(model.to("cuda"), tree, rule, "cuda", "fp32" if numbers == "fp32" else "bf16")
    for _ in range(2):
        fast = engine.search(asked, 4)
        assert (fast.items == plain.items).mean() > (0.99 if numbers == "fp32" else 0.8)
        tolerance = 1e-3 if numbers == "fp32" else 0.2
        np.testing.assert_allclose(fast.scores[:, 0], plain.scores[:, 0], atol=tolerance)
    widening = SearchConfig(6, "counter", 96)
    wide = Engine(model, tree, widening, "cuda", "fp32" if numbers == "fp32" else "bf16")
    assert wide.search(asked, 4).certified.all()
