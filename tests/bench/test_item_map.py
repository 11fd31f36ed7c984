"""Maps of items by code prefix: the distances against all pairs, and the file."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from bench.ablations.wording import distances
from bench.item_map import NoMap, Points, cohesion, read, to_bytes
from bench.projection import drawn, project
from retrievers.base import ItemMap


def points(seed: int = 0, items: int = 40, codes: int = 5) -> Points:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(items, 6)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    prefixes = rng.integers(0, codes, (items, 2))
    return Points(embeddings, prefixes, rng.normal(size=(items, 2)).astype(np.float32), items)


@pytest.mark.parametrize("depth", [1, 2])
def test_distances_are_those_of_all_pairs(depth: int) -> None:
    drawn = points()
    told: dict[bool, list[float]] = {True: [], False: []}
    for a, b in combinations(range(40), 2):
        same = bool((drawn.prefixes[a, :depth] == drawn.prefixes[b, :depth]).all())
        told[same].append(1 - float(drawn.embeddings[a] @ drawn.embeddings[b]))
    found = cohesion(drawn, depth)
    assert found.within == pytest.approx(np.mean(told[True]), abs=1e-5)
    assert found.between == pytest.approx(np.mean(told[False]), abs=1e-5)
    assert found.prefixes == len({tuple(row) for row in drawn.prefixes[:, :depth].tolist()})


def test_codes_that_mean_something_are_tighter_than_shuffled_ones() -> None:
    drawn = points()
    meaning = np.empty(40, np.int64)
    meaning[np.argsort(drawn.embeddings[:, 0])] = np.arange(40) // 10
    sorted_codes = Points(drawn.embeddings, meaning[:, None], drawn.plane, 40)
    found = cohesion(sorted_codes, 1)
    assert found.tighter
    assert found.within < found.shuffled[0] < found.shuffled[1]
    assert "Agrees: tighter than chance" in distances(found)
    random = cohesion(Points(drawn.embeddings, np.arange(40)[:, None] % 4, drawn.plane, 40), 1)
    assert not random.tighter


def test_prefixes_that_nobody_shares_are_said_to_be() -> None:
    drawn = points()
    found = cohesion(Points(drawn.embeddings, np.arange(40)[:, None], drawn.plane, 40), 1)
    assert distances(found) == "No two items share a prefix of 1 code."
    assert not found.tighter


def test_a_map_is_kept_without_pickle(tmp_path: Path) -> None:
    drawn = points()
    (tmp_path / "map.npz").write_bytes(to_bytes(drawn))
    found = read(tmp_path / "map.npz")
    for name in ("embeddings", "prefixes", "plane"):
        assert np.array_equal(getattr(found, name), getattr(drawn, name))
    assert found.gallery == 40


def test_a_file_that_holds_no_map(tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", embeddings=np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npz").write_text("no archive")
    short = points()
    torn = Points(short.embeddings, short.prefixes[:3], short.plane, 40)
    (tmp_path / "torn.npz").write_bytes(to_bytes(torn))
    (tmp_path / "cut.npz").write_bytes(to_bytes(short)[:-40])
    for name in ("odd", "text", "torn", "cut", "absent"):
        with pytest.raises(NoMap):
            read(tmp_path / f"{name}.npz")


def test_a_projection_is_repeatable_and_keeps_clusters_together() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 12)
    embeddings = (3 * np.eye(3)[groups] + 0.05 * rng.normal(size=(36, 3))).astype(np.float32)
    found = project(ItemMap(embeddings, groups[:, None]), 0)
    assert np.array_equal(found.plane, project(ItemMap(embeddings, groups[:, None]), 0).plane)
    assert np.allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-5)
    centres = np.stack([found.plane[groups == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(found.plane[:, None] - centres, axis=2).argmin(axis=1)
    assert np.array_equal(nearest, groups)


def test_of_many_items_some_are_drawn() -> None:
    every = points()
    found = project(ItemMap(every.embeddings, every.prefixes), 3, most=20)
    rows = drawn(40, 3, most=20)
    assert len(found.plane) == len(set(rows.tolist())) == 20
    assert np.array_equal(found.prefixes, every.prefixes[rows])
    assert found.gallery == 40


def test_what_cannot_be_mapped() -> None:
    few = ItemMap(np.ones((4, 3), np.float32), np.zeros((4, 1), np.int64))
    with pytest.raises(NoMap, match="wants 5 items, the gallery has 4"):
        project(few, 0)
    broken = ItemMap(np.full((9, 3), np.nan, np.float32), np.zeros((9, 1), np.int64))
    with pytest.raises(NoMap, match="not finite"):
        project(broken, 0)
