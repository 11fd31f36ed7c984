"""Identifiers against hand-computed cases and NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cart.config import IdentifierConfig
from cart.identifiers import (
    assign,
    collision_ceiling,
    even_ceiling,
    fit_quantizers,
    identifiers,
    items_by_prefix,
    perplexity,
    sizes_for,
    unique_tokens,
)
from cart.identifiers.residual import CoarseFine
from tests.cart.item_embeddings import blobs

SMALL = IdentifierConfig(
    coarse_size=8, codebook_sizes=(8, 8), hidden=(32,), latent_dim=8, epochs=30, batch_size=64
)


def counted_one_by_one(prefixes: np.ndarray, taken: np.ndarray) -> list[int]:
    """The counter tokens, by a dictionary of prefixes."""
    following: dict[tuple[int, ...], int] = {}
    for *prefix, counter in taken.tolist():
        following[tuple(prefix)] = max(following.get(tuple(prefix), 0), counter + 1)
    tokens = []
    for prefix in map(tuple, prefixes.tolist()):
        tokens.append(following.get(prefix, 0))
        following[prefix] = tokens[-1] + 1
    return tokens


def test_the_counter_starts_at_nought_and_counts_each_prefix() -> None:
    prefixes = np.array([[3, 1], [2, 2], [3, 1], [3, 1], [2, 2]])
    assert unique_tokens(prefixes).tolist() == [0, 0, 1, 2, 1]


def test_counting_goes_on_behind_identifiers_already_given() -> None:
    taken = np.array([[3, 1, 0], [3, 1, 5], [2, 2, 0]])
    assert unique_tokens(np.array([[3, 1], [2, 2], [9, 9]]), taken).tolist() == [6, 1, 0]


def some_rows(length: int, highest: int) -> st.SearchStrategy[np.ndarray]:
    shape = st.tuples(st.integers(0, 40), st.just(length))
    # Multiplied, so that a row is at times one number and at times more than 64 bits hold.
    return st.sampled_from([1, 2**40]).flatmap(
        lambda scale: hnp.arrays(np.int64, shape, elements=st.integers(0, highest)).map(
            lambda rows: rows * scale
        )
    )


@given(some_rows(2, 3), some_rows(3, 3))
def test_counters_are_those_of_counting_one_by_one(prefixes: np.ndarray, taken: np.ndarray) -> None:
    taken[:, -1] %= 2**40 - 1
    assert unique_tokens(prefixes, taken).tolist() == counted_one_by_one(prefixes, taken)
    assert unique_tokens(prefixes).tolist() == counted_one_by_one(prefixes, taken[:0])


@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(0, 2)))
def test_identifiers_are_all_different_and_counters_leave_no_gap(prefixes: np.ndarray) -> None:
    found = identifiers(prefixes)
    assert len(np.unique(found, axis=0)) == len(prefixes)
    for prefix in np.unique(prefixes, axis=0):
        counters = found[(found[:, :-1] == prefix).all(axis=1), -1]
        assert sorted(counters) == list(range(len(counters)))


def test_collision_ceiling_counts_items_with_a_prefix_of_their_own() -> None:
    assert collision_ceiling(np.array([[1, 1], [1, 2], [1, 2], [3, 3]])) == 0.5


def test_items_by_prefix_counts_every_distinct_prefix() -> None:
    assert sorted(items_by_prefix(np.array([[1, 1], [1, 2], [1, 2], [3, 3]]))) == [1, 1, 2]


def test_the_even_ceiling_is_that_of_codes_drawn_evenly() -> None:
    drawn = np.random.default_rng(0).integers(0, 32, (20_000, 3))
    assert even_ceiling(20_000, (32, 32, 32)) == pytest.approx(collision_ceiling(drawn), abs=0.01)


@pytest.mark.parametrize(
    ("items", "size"), [(1_000, 128), (220_000, 128), (222_000, 256), (10**6, 256), (10**7, 512)]
)
def test_code_sizes_are_the_smallest_that_keep_items_apart(items: int, size: int) -> None:
    assert sizes_for(items) == (size,) * 3
    assert even_ceiling(items, sizes_for(items)) >= 0.9
    assert size == 128 or even_ceiling(items, (size // 2,) * 3) < 0.9


def test_more_codebooks_want_no_larger_codes() -> None:
    assert sizes_for(10**7, (128,) * 4) == (128,) * 4


def test_perplexity_of_even_and_single_use() -> None:
    assert perplexity(np.array([0, 1, 2, 3]), 8) == pytest.approx(4)
    assert perplexity(np.zeros(5, dtype=np.int64), 8) == pytest.approx(1)


def test_the_coarse_token_is_the_nearest_centre_and_the_fine_ones_code_the_rest() -> None:
    x = blobs(0, 200)
    quantizers = fit_quantizers(x, SMALL, seed=0)
    assert isinstance(quantizers, CoarseFine)
    codes = quantizers.codes(x)
    centres = quantizers.centres.numpy()
    distance = ((x[:, None, :] - centres[None]) ** 2).sum(axis=2)
    assert (codes[:, 0] == distance.argmin(axis=1)).all()
    residual = torch.from_numpy((x - centres[codes[:, 0]]) / quantizers.fine.scale)
    latent = quantizers.fine.rqvae.encoder(residual).detach().numpy()
    for level, codebook in enumerate(quantizers.fine.rqvae.codebooks):
        entries = codebook.detach().numpy()
        nearest = ((latent[:, None, :] - entries[None]) ** 2).sum(axis=2).argmin(axis=1)
        assert (codes[:, 1 + level] == nearest).all()
        latent = latent - entries[nearest]


def test_the_same_seed_gives_the_same_codes_and_the_caller_keeps_its_random_state() -> None:
    x = blobs(1, 100)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fit_quantizers(x, SMALL, seed=3).codes(x)
    assert torch.equal(before, torch.get_rng_state())
    assert (first == fit_quantizers(x, SMALL, seed=3).codes(x)).all()


def test_codes_of_a_stream_are_those_of_the_whole() -> None:
    x = blobs(4, 300)
    quantizers = fit_quantizers(x, SMALL, seed=0)
    blocks = (x[start : start + 70] for start in range(0, 300, 70))
    np.testing.assert_array_equal(assign(quantizers, blocks), quantizers.codes(x))
    assert assign(quantizers, []).shape == (0, 3)


@pytest.mark.filterwarnings("error")
def test_embeddings_may_lie_in_a_file_that_is_mapped_to_read(tmp_path: Path) -> None:
    x = blobs(6, 100)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    quantizers = fit_quantizers(mapped, SMALL, seed=0)
    np.testing.assert_array_equal(assign(quantizers, [mapped]), quantizers.codes(x))


def test_of_many_items_a_seeded_sample_is_fitted_on() -> None:
    x = blobs(5, 300)
    by_sample = fit_quantizers(x, SMALL, seed=1, sample=100)
    chosen = np.sort(np.random.default_rng(1).choice(300, 100, replace=False))
    by_hand = fit_quantizers(x[chosen], SMALL, seed=1)
    np.testing.assert_array_equal(by_sample.codes(x), by_hand.codes(x))
    whole = fit_quantizers(x, SMALL, seed=1)
    assert (whole.codes(x) == fit_quantizers(x, SMALL, seed=1, sample=300).codes(x)).all()
    assert not (whole.codes(x) == by_sample.codes(x)).all()


def test_fewer_items_than_clusters_still_get_identifiers() -> None:
    x = blobs(2, 3)
    quantizers = fit_quantizers(np.concatenate([x, x[:1]]), SMALL, seed=0)
    assert quantizers.sizes[0] == 3
    found = identifiers(quantizers.codes(np.concatenate([x, x[:1]])))
    assert len(np.unique(found, axis=0)) == 4
