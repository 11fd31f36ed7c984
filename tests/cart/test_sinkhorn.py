"""Items spread over the last codebook, against the assignment of least distance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from cart.config import IdentifierConfig
from cart.identifiers import (
    assign_together,
    collision_ceiling,
    fit_quantizers,
    unexplained_variance,
)
from cart.identifiers.sinkhorn import balanced, spread
from tests.cart.item_embeddings import blobs

SMALL = IdentifierConfig(
    coarse_size=8, codebook_sizes=(8, 16), hidden=(32,), latent_dim=8, epochs=10, batch_size=64
)


def drawn_distances(seed: int, items: int, entries: int) -> np.ndarray:
    """[items, entries], of items and entries drawn in the plane."""
    random = np.random.default_rng(seed)
    gaps = random.normal(size=(items, 1, 2)) - random.normal(size=(1, entries, 2))
    return np.square(gaps).sum(axis=2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(16, 24))
def test_few_items_find_entries_of_their_own_at_nearly_the_least_distance(
    seed: int, items: int, entries: int
) -> None:
    distances = drawn_distances(seed, items, entries)
    chosen = balanced(torch.from_numpy(distances)[None])[0].numpy()
    best = distances[linear_sum_assignment(distances)].sum()
    shared = items - len(np.unique(chosen))
    nearest = items - len(np.unique(distances.argmin(axis=1)))
    # What is not yet settled after the last iteration leaves an item or two together.
    assert shared <= min(nearest, 2)
    assert distances[np.arange(items), chosen].sum() <= best + 0.05 * distances.max()


def test_an_item_alone_with_its_nearest_entry_keeps_it() -> None:
    distances = torch.tensor([[[0.0, 4.0, 9.0], [0.1, 1.0, 4.0]]])
    assert balanced(distances)[0].tolist() == [0, 1]
    assert balanced(distances[:, :1])[0].tolist() == [0]


def test_more_items_than_entries_are_shared_out_evenly() -> None:
    distances = torch.from_numpy(drawn_distances(0, 60, 4))
    crowds, counts = (
        torch.bincount(entries, minlength=4)
        for entries in (distances.argmin(dim=1), balanced(distances[None])[0])
    )
    assert crowds.min() < 5
    assert counts.min() >= 11 and counts.max() <= 20


def test_problems_side_by_side_are_those_alone() -> None:
    several = torch.from_numpy(np.stack([drawn_distances(seed, 5, 9) for seed in range(4)]))
    alone = torch.cat([balanced(one[None]) for one in several])
    assert torch.equal(balanced(several), alone)


@pytest.mark.parametrize("scheme", ["coarse-fine", "rq-vae"])
def test_fewer_items_collide_and_only_last_codes_change(scheme: str) -> None:
    config = IdentifierConfig(**{**vars(SMALL), "scheme": scheme})
    x = blobs(1, 400)
    quantizers = fit_quantizers(x, config, seed=0)
    nearest, apart = quantizers.codes(x), assign_together(quantizers, x, "sinkhorn")
    assert collision_ceiling(apart) > 1.2 * collision_ceiling(nearest)
    np.testing.assert_array_equal(apart[:, :-1], nearest[:, :-1])
    before = unexplained_variance(quantizers, x, nearest)
    after = unexplained_variance(quantizers, x, apart)
    assert before is not None and after is not None
    assert before <= after < before + 0.15
    moved = {tuple(row) for row in nearest[(apart != nearest).any(axis=1), :-1].tolist()}
    for above in moved:
        together = nearest[(nearest[:, :-1] == above).all(axis=1), -1]
        assert len(np.unique(together)) < len(together)


def test_items_that_are_the_same_stay_together() -> None:
    x = blobs(2, 60)
    quantizers = fit_quantizers(x, SMALL, seed=0)
    doubled = np.concatenate([x, x])
    codes = spread(quantizers, doubled)
    np.testing.assert_array_equal(codes[:60], codes[60:])


def test_where_nothing_collides_codes_are_the_nearest() -> None:
    x = blobs(3, 12)
    quantizers = fit_quantizers(x, SMALL, seed=0)
    nearest = quantizers.codes(x)
    alone = x[np.unique(nearest, axis=0, return_index=True)[1]]
    np.testing.assert_array_equal(spread(quantizers, alone), quantizers.codes(alone))
    assert spread(quantizers, x[:0]).shape == (0, 3)


def test_a_tree_has_no_last_codebook() -> None:
    tree = fit_quantizers(
        blobs(0, 40), IdentifierConfig(scheme="hierarchical-kmeans", coarse_size=4), seed=0
    )
    with pytest.raises(ValueError, match="last codebook"):
        spread(tree, blobs(0, 40))
    together = assign_together(tree, blobs(1, 40), "sinkhorn")
    np.testing.assert_array_equal(together, tree.codes(blobs(1, 40)))
