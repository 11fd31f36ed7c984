"""Every scheme by what all share, and each against what it says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from cart.config import IdentifierConfig, Scheme
from cart.identifiers import (
    Quantizers,
    assign,
    assign_together,
    even_ceiling,
    fit_quantizers,
    identifiers,
    level_sizes,
    restored,
    unexplained_variance,
)
from cart.identifiers.kmeans_tree import KMeansTree
from cart.identifiers.residual import RQVAEAlone
from tests.cart.item_embeddings import blobs

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
MEANINGFUL = ("coarse-fine", "rq-vae", "hierarchical-kmeans")
SMALL = IdentifierConfig(
    coarse_size=6, codebook_sizes=(5, 4), hidden=(16,), latent_dim=4, epochs=3, batch_size=64
)
ITEMS = blobs(0, 150)
OTHERS = blobs(1, 90)


@cache
def fitted(scheme: Scheme) -> Quantizers:
    return fit_quantizers(ITEMS, replace(SMALL, scheme=scheme), seed=2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_codes_are_an_embeddings_own_whatever_comes_with_it(scheme: Scheme) -> None:
    quantizers = fitted(scheme)
    both = np.concatenate([ITEMS, OTHERS])
    codes = quantizers.codes(both)
    assert codes.dtype == np.int64 and codes.shape == (240, 3)
    assert quantizers.sizes == (6, 5, 4)
    assert codes.min() >= 0 and (codes < quantizers.sizes).all()
    mixed = np.random.default_rng(0).permutation(240)
    np.testing.assert_array_equal(quantizers.codes(both[mixed]), codes[mixed])
    np.testing.assert_array_equal(quantizers.codes(both[7:8]), codes[7:8])
    np.testing.assert_array_equal(
        assign(quantizers, (both[start : start + 50] for start in range(0, 240, 50))), codes
    )
    assert quantizers.codes(both[:0]).shape == assign(quantizers, []).shape == (0, 3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_gives_back_the_same_codes(scheme: Scheme, tmp_path: Path) -> None:
    quantizers = fitted(scheme)
    save_file({k: v.contiguous() for k, v in quantizers.state().items()}, tmp_path / "codes")
    read = restored(replace(SMALL, scheme=scheme), load_file(tmp_path / "codes"))
    assert read.sizes == quantizers.sizes
    np.testing.assert_array_equal(read.codes(OTHERS), quantizers.codes(OTHERS))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_seed_gives_the_same_codes(scheme: Scheme) -> None:
    again = fit_quantizers(ITEMS, replace(SMALL, scheme=scheme), seed=2)
    np.testing.assert_array_equal(again.codes(OTHERS), fitted(scheme).codes(OTHERS))
    other = fit_quantizers(ITEMS, replace(SMALL, scheme=scheme), seed=3)
    assert (other.codes(OTHERS) != fitted(scheme).codes(OTHERS)).any()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("codebooks", range(7))
def test_identifiers_are_two_to_eight_tokens_long(scheme: Scheme, codebooks: int) -> None:
    config = replace(SMALL, scheme=scheme, epochs=1, codebook_sizes=(3, 2, 4, 3, 2, 3)[:codebooks])
    x = ITEMS[:60]
    quantizers = fit_quantizers(x, config, seed=0)
    found = identifiers(assign_together(quantizers, x, config.assignment))
    assert found.shape == (60, codebooks + 2)
    assert len(np.unique(found, axis=0)) == 60
    sizes = level_sizes(config, int(found[:, -1].max()) + 1)
    assert (found < sizes).all()
    state = {name: one.clone() for name, one in quantizers.state().items()}
    np.testing.assert_array_equal(restored(config, state).codes(x), quantizers.codes(x))


@pytest.mark.parametrize("scheme", MEANINGFUL)
def test_codes_with_meaning_rebuild_items_better_than_their_mean(scheme: Scheme) -> None:
    config = replace(SMALL, scheme=scheme, epochs=100, learning_rate=3e-3)
    quantizers = fit_quantizers(ITEMS, config, seed=0)
    left = unexplained_variance(quantizers, ITEMS, quantizers.codes(ITEMS))
    dealt = np.random.default_rng(0).permutation(quantizers.codes(ITEMS))
    wrong = unexplained_variance(quantizers, ITEMS, dealt)
    assert left is not None and wrong is not None
    assert left < 0.4 < 1 < wrong


@pytest.mark.parametrize("scheme", ["random", "shuffled"])
def test_codes_without_meaning_rebuild_nothing(scheme: Scheme) -> None:
    codes = fitted(scheme).codes(ITEMS)
    assert unexplained_variance(fitted(scheme), ITEMS, codes) is None


def test_unexplained_variance_is_nothing_where_every_item_is_a_centre_and_one_at_the_mean() -> None:
    whole = fit_quantizers(ITEMS, replace(SMALL, coarse_size=150, codebook_sizes=()), seed=0)
    assert unexplained_variance(whole, ITEMS, whole.codes(ITEMS)) == pytest.approx(0, abs=1e-9)
    one = fit_quantizers(ITEMS, replace(SMALL, coarse_size=1, codebook_sizes=()), seed=0)
    assert unexplained_variance(one, ITEMS, one.codes(ITEMS)) == pytest.approx(1, rel=1e-2)


def test_alone_the_rqvae_has_as_many_tokens_and_the_mean_for_its_only_centre() -> None:
    quantizers = fitted("rq-vae")
    assert isinstance(quantizers, RQVAEAlone)
    assert [len(codebook) for codebook in quantizers.fine.rqvae.codebooks] == [6, 5, 4]
    latent = (
        quantizers.fine.rqvae.encoder(
            torch.from_numpy((ITEMS - ITEMS.mean(axis=0)) / quantizers.fine.scale)
        )
        .detach()
        .numpy()
    )
    codes = quantizers.codes(ITEMS)
    for level, codebook in enumerate(quantizers.fine.rqvae.codebooks):
        entries = codebook.detach().numpy()
        gaps = np.square(latent[:, None] - entries[None]).sum(axis=2)
        np.testing.assert_array_equal(codes[:, level], gaps.argmin(axis=1))
        latent = latent - entries[codes[:, level]]


def walked(tree: KMeansTree, x: np.ndarray) -> list[int]:
    """The path of one embedding, a node at a time."""
    node, path = 0, []
    for layer in tree.layers:
        first, behind = layer.starts[node], layer.starts[node + 1]
        gaps = [float(np.square(x - centre).sum()) for centre in layer.centres[first:behind]]
        path.append(int(np.argmin(gaps)))
        node = first + path[-1]
    return path


def test_a_path_takes_the_nearest_child_of_each_node() -> None:
    tree = fitted("hierarchical-kmeans")
    assert isinstance(tree, KMeansTree)
    assert tree.codes(OTHERS).tolist() == [walked(tree, x) for x in OTHERS]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 5), st.integers(1, 4))
def test_a_tree_with_room_for_all_items_tells_all_apart(
    seed: int, items: int, branches: int, repeated: int
) -> None:
    x = np.repeat(np.random.default_rng(seed).normal(size=(items, 3)), repeated, axis=0)
    config = IdentifierConfig(
        scheme="hierarchical-kmeans", coarse_size=branches, codebook_sizes=(items,)
    )
    codes = fit_quantizers(x.astype(np.float32), config, seed=0).codes(x.astype(np.float32))
    assert len(np.unique(codes, axis=0)) == items
    np.testing.assert_array_equal(codes[::repeated].repeat(repeated, axis=0), codes)


def test_random_codes_are_even_and_of_no_neighbourhood() -> None:
    x = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    quantizers = fit_quantizers(x, replace(SMALL, scheme="random"), seed=0)
    codes = quantizers.codes(x)
    for level, size in enumerate(quantizers.sizes):
        counts = np.bincount(codes[:, level], minlength=size)
        chi_squared = np.square(counts - 3000 / size).sum() / (3000 / size)
        assert chi_squared < 25
    close = quantizers.codes(np.nextafter(x, np.float32(9)))
    assert (close[:, 0] == codes[:, 0]).mean() == pytest.approx(1 / 6, abs=0.03)


def test_shuffled_codes_are_those_of_the_default_with_other_items() -> None:
    own = fitted("coarse-fine").codes(ITEMS)
    dealt = fitted("shuffled").codes(ITEMS)
    assert Counter(map(tuple, dealt.tolist())) == Counter(map(tuple, own.tolist()))
    by_chance = np.mean(
        [(own == np.roll(own, shift, axis=0)).all(axis=1).mean() for shift in range(1, 150)]
    )
    assert (dealt == own).all(axis=1).mean() < by_chance + 0.1


def test_no_item_is_dealt_its_own_codes() -> None:
    config = replace(SMALL, coarse_size=150, codebook_sizes=())
    own = fit_quantizers(ITEMS, config, seed=0).codes(ITEMS)
    dealt = fit_quantizers(ITEMS, replace(config, scheme="shuffled"), seed=0).codes(ITEMS)
    assert sorted(dealt[:, 0]) == sorted(own[:, 0]) == list(range(150))
    assert not (dealt == own).any()


def test_an_item_that_was_not_fitted_draws_codes_as_common_as_they_are() -> None:
    own = fitted("coarse-fine").codes(ITEMS)
    drawn = fitted("shuffled").codes(np.random.default_rng(5).normal(size=(6000, 16)))
    assert {*map(tuple, drawn.tolist())} <= {*map(tuple, own.tolist())}
    share = np.bincount(drawn[:, 0], minlength=6) / 6000
    np.testing.assert_allclose(share, np.bincount(own[:, 0], minlength=6) / 150, atol=0.03)


def test_sizes_are_doubled_for_the_items_that_are_expected() -> None:
    config = replace(SMALL, expected_items=3000)
    assert config.sizes == (48, 40, 32)
    assert even_ceiling(3000, (48, 40, 32)) >= 0.9 > even_ceiling(3000, (24, 20, 16))
    assert level_sizes(config, 7) == (48, 40, 32, 7)
    assert fit_quantizers(ITEMS, replace(config, scheme="random"), seed=0).sizes == config.sizes
    assert replace(config, expected_items=10).sizes == (6, 5, 4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"codebook_sizes": (8, 0)}, "count from 1"),
        ({"coarse_size": 0}, "count from 1"),
        ({"even_ceiling": 1.0}, "between 0 and 1"),
    ],
)
def test_what_does_not_go_together_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(SMALL, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_state_of_another_scheme_or_size_is_refused(scheme: Scheme) -> None:
    config = replace(SMALL, scheme=scheme)
    state = fitted("rq-vae" if scheme != "rq-vae" else "coarse-fine").state()
    with pytest.raises(ValueError, match=f"no {scheme} codebooks"):
        restored(config, state)
    if scheme != "random":
        smaller = replace(config, coarse_size=3, codebook_sizes=(3, 3))
        with pytest.raises(ValueError, match="as configured"):
            restored(smaller, fitted(scheme).state())
